"""Many runs in one: a seed for each row of a stacked net, stepped together.

train          train_seeds(): the loop of `training`, for all seeds at once
measurements   losses and metrics as it goes; the best weights of each seed
stacked        nets as one module with a leading dimension for the seed
rates          a learning rate for each run: sweeps over rates and seeds in one
l2             a strength of weight decay for each run, in the same way
averages       averaged weights beside the runs
sam, muon      SAMPerSeed, MuonPerSeed: optimizers that would mix the seeds, written for stacks
"""

from course_utils.seeds.muon import MuonPerSeed
from course_utils.seeds.sam import SAMPerSeed
from course_utils.seeds.train import SeedRuns, train_seeds

__all__ = ["MuonPerSeed", "SAMPerSeed", "SeedRuns", "train_seeds"]
