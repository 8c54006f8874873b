"""The course's companion package: what the lessons build, in the order in which they build it.

What a learner reads:

    losses           functions of (prediction, target)                          lesson 01
    problems         surfaces with known minima                                  02
    optimizers       SGD to Muon, one file and one `update` each                 02, 05 to 08, 18
    averaging        averages of a series, and of weights                        04, 16
    schedules        step -> multiplier of the learning rate                     09, 10
    regularizers     penalties, proximal step, clipping, decay groups            08, 12, 18
    layers           dropout and normalisation                                   13, 14
    initialization   first weights; rates as a net is made wider (μP)            22
    augmentation     changes to images, one draw per example; mixup, CutMix      15
    early_stopping   when to stop, and what to keep                              16
    mixed_precision  number formats, loss scaling, what to compute in sixteen bits   17

What the experiments stand on:

    profiles         how large a lesson runs
    claims           claim(): a sentence, a measured value, its bounds; also_checked() folds some
    claim_lines      how a claim is written;  claim_records: what it leaves behind;  markup: HTML of outputs
    data             small real data, synthetic sets, fair splits; downloads on request
    models           the nets that experiments train
    training         fit(): the loop, once
    seeds            train_seeds(): many seeds in one run; sweeps of the learning rate
    intervals        what a sample of seeds says about a mean
    trajectories     where an optimizer goes, and how far two of them part
    theory           closed forms: what to expect
    linear_models    lines, ridge, lasso, minimum norm: solved to the last digit
    distributed      real processes that share a step; the ring, sharding, local steps   24
    diagnostics      curvature, calibration, the cost and the memory of a step
    recorded         results measured once, with their provenance; the tables of effects
    plotting         one style, alt text, names at the ends of lines
    race             a fair race of methods                                       19
    gpu_benchmark    what a GPU can tell: precisions, the optimizers' step      17, 18, 23
    figures          the lessons' figures, drawn from tested data

What runs the course: `exercises` (check, hint, solution) and `tools` (`python -m course_utils`).
Nothing is imported here: a lesson imports what it uses, and pays for no more.
"""

__version__ = "0.2.0"
