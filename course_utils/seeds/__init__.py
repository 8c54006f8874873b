"""Many runs in one: a seed for each row of a stacked net, stepped together.

train          train_seeds(): the loop of `training`, for all seeds at once
stacked        nets as one module with a leading dimension for the seed
rates          one learning rate for each run
averages       averaged weights beside the runs
sam, muon      optimizers that would mix the seeds, once for each
"""

from course_utils.data import Stacked
from course_utils.intervals import paired_interval
from course_utils.seeds.train import SeedRuns, each_seed, train_seeds

__all__ = ["SeedRuns", "Stacked", "each_seed", "paired_interval", "train_seeds"]
