"""Which checkpoint suits a task: scores of frozen features, then short trainings of the best.

checkpoints   names from the command line or a file
estimate      one pass over a sample -> scores
finals        the best few, trained for some steps; half of them twice as long
rank          the order
table         its lines, and how sure it is
"""
