"""What can be measured of a net, or of a step.

curvature          sharpness: the largest eigenvalue of the Hessian
calibration        whether a confidence of 0.9 is right nine times in ten
step_cost          operations and bytes of an optimizer's step
step_memory        bytes that a training step holds
backward_pass      gradients at the outputs, at the hidden units, at the weights
"""
