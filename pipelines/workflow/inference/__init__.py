"""Predict rows of any kind with a finished run, or with a checkpoint that others trained.

1. checkpoint   RUN, folder or Hub id  -> Predictor: model, task, labels, thresholds
2. given        texts, files, tables   -> Inputs: columns by role, and all columns as they were read
3. predict      Predictor, Inputs      -> AnsweredRows, some thousand at a time
4. answers      outputs of the model   -> columns: prediction, probability, set…
   sequences                              of words, questions and speech

to_file and to_frame are the two ways in: `graft predict`, and `run.predict` in Python.
`report.prediction_files` writes the chunks, so that a table of any length needs little memory.
"""
