"""The functions of smartdownsample, so that programs move over by changing one import.

Parameters, defaults and results are those of 1.1.1; further parameters of 1.9 and 2.0 are taken by
name. The sample is drawn by this program's rule, which is the one that smartdownsample 1.1.1
documents.
"""

from sdindex.smartdownsample.drawing import sample_diverse, sample_diverse_with_stats
from sdindex.smartdownsample.plots import plot_bucket_distribution, plot_hash_similarity_scatter

__all__ = [
    "plot_bucket_distribution",
    "plot_hash_similarity_scatter",
    "sample_diverse",
    "sample_diverse_with_stats",
]
