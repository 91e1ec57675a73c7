"""How far a target is from the source, on the features of a frozen encoder, before any training.

domain_classifier.py  whether features show the domain: its error, proxy A-distance
mmd.py                whether features are drawn alike: maximum mean discrepancy
frechet.py            how far means and covariances are apart
samples.py            as many rows of each, for the first two
label_shift.py        which classes are more frequent there, if nothing else has changed
"""
