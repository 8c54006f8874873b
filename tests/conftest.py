"""One thread: the tests measure arithmetic, not the machine. And Ctrl-C, which some of them send, arrives."""

import signal

import torch

torch.set_num_threads(1)
# A shell that starts a job in the background lets it ignore SIGINT, and so would every process started here.
signal.signal(signal.SIGINT, signal.default_int_handler)
