"""A search for the best values of some keys of a recipe, chosen on validation, by Optuna.

1. space_reader.load   `--space` items and files   Space: keys, and the values of each
2. checks.validate     Space, recipe               every mistake as one RecipeError, before a trial
3. study.Study         trials in a storage         which values to try next, and the results
4. trials.run          SearchRequest, Study        one trial after the other
5. outcome.report      Study                       a table, best.yaml
"""
