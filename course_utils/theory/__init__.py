"""Closed forms that measurements are compared with.

quadratics         gradient descent and momentum, one eigen-direction at a time
gradient_noise     the variance of a minibatch gradient, and the noise scale
noisy_quadratic    the mean loss of SGD on a noisy quadratic, under any schedule and Schedule-Free
averages           what an exponential average does to noise, to its start and to a wave
turned_valleys     how many of gradient descent's steps AdaGrad needs in valleys turned out of the axes
adam_steps         how long one step of Adam can be
weight_decay       how fast a weight decays
mean_field         what a very wide layer does to signals and gradients
selection          by how much the best of many scores flatters
many_devices       what a shared step costs: bytes held, bytes sent, seconds
"""
