"""Many runs in one: a seed for each row of a stacked net, stepped together.

train          train_seeds(): the loop of `training`, for all seeds at once
measurements   losses and metrics as it goes; the best weights of each seed
stacked        nets as one module with a leading dimension for the seed
rates          a learning rate for each run: sweeps over rates and seeds in one
plateau        ReduceLROnPlateau with a rate for each run
decay          grids of learning rate and weight decay, for L2 and for AdamW
l2             a strength of weight decay for each run, in the same way
averages       averaged weights beside the runs
zeros          share_of_zeros(), cut_smallest_(): the smallest weights of each seed set to zero
autoencoders   train_autoencoders(): nets stepped by a rule that a lesson wrote as a function
sam, muon      SAMPerSeed, MuonPerSeed: optimizers that would mix the seeds, written for stacks
"""

from course_utils.seeds.autoencoders import train_autoencoders
from course_utils.seeds.decay import sweep_decay
from course_utils.seeds.muon import MuonPerSeed
from course_utils.seeds.plateau import PlateauPerRun
from course_utils.seeds.sam import SAMPerSeed
from course_utils.seeds.train import SeedRuns, train_seeds
from course_utils.seeds.zeros import cut_smallest_, share_of_zeros

__all__ = [
    "MuonPerSeed",
    "PlateauPerRun",
    "SAMPerSeed",
    "SeedRuns",
    "cut_smallest_",
    "share_of_zeros",
    "sweep_decay",
    "train_autoencoders",
    "train_seeds",
]
