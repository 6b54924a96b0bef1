"""The functions of smartdownsample, so that programs move over by changing one import.

The parameters, the defaults and the shape of what is returned are those of 1.1.1; what 1.9 and
2.0 have beside them is taken by name. The sample is drawn by this program's rule, which is the
one that smartdownsample 1.1.1 documents.
"""

from sdindex.smartdownsample.drawing import sample_diverse, sample_diverse_with_stats
from sdindex.smartdownsample.plots import plot_bucket_distribution, plot_hash_similarity_scatter

__all__ = [
    "plot_bucket_distribution",
    "plot_hash_similarity_scatter",
    "sample_diverse",
    "sample_diverse_with_stats",
]
