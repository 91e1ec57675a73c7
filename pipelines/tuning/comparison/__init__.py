"""graft compare: a recipe in several variants with several seeds, or finished runs.

1. space_reader.load   `--vary` items              Space: keys, and the values of each
2. checks.validate     Space, recipe               every mistake as one RecipeError, before a run
3. arms.of             Space, recipe               ComparisonArms and what each is compared with
4. budget.Budgets      the arm that decides        how long all arms train, for each share of train
5. runner.run          arms x seeds x shares       a run folder each, without its model
6. cells.CellResults   run folders                 Comparison, in comparison.json and pictures

The first two are those of `tuning.search`. Of finished runs, `finished.compare` makes a Comparison.
"""
