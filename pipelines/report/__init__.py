"""What a run leaves behind, for people and for programs.

run_folder   the paths of one run, and its number
evidence     the types: scores, predictions, parity of one trained model
baseline     scores that are no better than a constant answer
results      metrics.json, predictions, history and pictures, from the evidence
data_report  data.json, from what was found out about the data
lock         what the recipe meant on that day: commits, packages, hardware
summary      the text at the end of a run
card         the model card
push         the upload to the Hub
page         report.html, from the files of a run folder
"""
