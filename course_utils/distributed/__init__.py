"""Many devices: real processes that share a step, and what they send.

workers         Workers: processes on this machine, given one function after another, always ended
ring            reduce-scatter, all-gather and all-reduce round a ring, with every byte counted
stages          ZeRO: what each worker holds if state, gradients, weights are shared out
local_steps     workers that step alone and then average, many settings side by side
whole_batch     cases in which the mean of the workers' gradients is not one batch's
digits_shared   digits on several workers: losses and steps, for settings and seeds
"""

from course_utils.distributed.workers import WorkerError, Workers

__all__ = ["WorkerError", "Workers"]
