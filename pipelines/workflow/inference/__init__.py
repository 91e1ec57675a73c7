"""Predict rows of any kind with a finished run, or with a checkpoint that others trained.

1. predictor    RUN, folder or Hub id  -> Predictor: model, task, labels, thresholds
2. given        texts, files, tables   -> Inputs: columns by role, and all columns as they were read
3. answers      outputs of the model   -> columns: prediction, probability, set…
4. predict      Predictor, Inputs      -> chunks of answered rows, and the rows that were left out

`report.prediction_files` writes the chunks, so that a table of any length needs little memory.
"""
