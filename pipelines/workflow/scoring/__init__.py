"""Score finished runs on new labeled data; neither models nor run folders are changed.

1. source          RECIPE-OR-PATH        -> Source
2. labeled_inputs  Source, what a run knows -> rows with labels in the run's spelling
3. predicted       Predictor, rows       -> PredictedRows: predictions beside targets
4. slices          PredictedRows         -> rows by length, confidence and a column
5. evaluate        runs, data            -> Evaluation: scores, intervals, slices, differences

`report.evaluation` prints and writes an Evaluation.
"""
