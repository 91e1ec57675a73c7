"""How sure scores are: intervals of 95 % over rows, by drawing rows anew (the bootstrap).

RowDraws    rows, groups        -> how often each of 1,000 draws has each row
sums        a metric, examples  -> sums over rows from which its score follows
class_sums                         those of classes: hits, predictions and examples of each
text_sums                          those of texts: entities, words, answers, blocks
moment_sums                        those of numbers: x, y, xx, yy, xy
draw        Scorer, examples    -> every score of every draw
interval    scores of draws     -> its bounds

A score that follows from sums costs one matrix product for all draws, whatever its metric costs.
Others are computed by their metric for each draw, where that is quick.
"""

from pipelines.evaluation.intervals.draws import RowDraws
from pipelines.evaluation.intervals.result import Interval, ScoreDraws
from pipelines.evaluation.intervals.scored import draw, intervals
from pipelines.evaluation.intervals.scored_rows import ScoredRows

__all__ = ["Interval", "RowDraws", "ScoreDraws", "ScoredRows", "draw", "intervals"]
