"""What a GPU can tell this course: `python -m course_utils.gpu_benchmark` measures and records all of it.

tasks              the nets that are trained
measure            time, memory and loss of each precision
optimizer_steps    the optimizers' step beside moving its bytes
language_model     a language model with each optimizer at several rates
timing             time on a device
record             the newest record of the precisions, and what it says
"""
