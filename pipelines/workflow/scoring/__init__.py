"""Score finished runs on new labeled data; neither models nor run folders are changed.

1. opened.source_of       RECIPE-OR-PATH            -> Source
2. opened.OpenedRun       run folders               -> Predictor, and what the run knows of its data
3. data.labeled_inputs    Source, what a run knows  -> rows with labels in the run's spelling
4. predicted.predict      Predictor, rows           -> PredictedRows: predictions beside targets
5. evaluation.slices      PredictedRows             -> rows by length, confidence and a column
6. evaluate.evaluate      runs, data                -> DataEvaluation: scores, slices, differences

`report.data_evaluation` writes a DataEvaluation, and `data_evaluation_text` prints it.
"""
