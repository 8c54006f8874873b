"""Fixed seeds, one thread: the tests measure arithmetic, not the machine."""

import torch

torch.set_num_threads(1)
