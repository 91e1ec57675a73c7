"""A search for the best values of some keys of a recipe, chosen on validation, by Optuna.

1. space.load      `--space` items and files         Space: keys, and the values of each
2. checks.refuse   the space on the recipe           RecipeError: every mistake, before a trial
3. study.Study     trials on disk                    what to try next, what came of it
4. trials.run      one trial after the other         the study, until enough is known
5. outcome         the study                         a table, best.yaml
"""
