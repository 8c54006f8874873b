"""The fair baseline of the noisy digits: `python benchmarks/baseline.py --record`, again with `--sam`.

Momentum at each learning rate of a bracketed grid, on the digits with and without wrong labels, for 20 and
for 40 epochs, judged on validation examples with seeds of its own. `--record` keeps it among the course's
recorded results; lessons 15, 16, 18 and 19 read their rate there. About five minutes of one core. With
`--sam` it is SAM's rates and radii instead, for lesson 18: about three minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

import torch

from course_utils import recorded
from course_utils.race import baseline


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=len(baseline.SEEDS))
    parser.add_argument("--record", action="store_true", help="keep the result in the package")
    parser.add_argument("--sam", action="store_true", help="SAM's rates and radii, not momentum's rates")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = baseline.SEEDS[: options.seeds]
    if options.sam:
        found = baseline.measure_sam(seeds)
    else:
        found = [baseline.measure(label_noise, epochs, seeds) for label_noise, epochs in baseline.WORLDS]
    for one in found:
        world = f"label noise {one.label_noise}, {one.epochs} epochs, rho {one.rho}"
        print(f"{world}: best lr {one.lr}, by loss {one.loss_lr}")
        for lr, right, loss in zip(one.lrs, one.accuracy, one.loss, strict=True):
            print(f"  {lr:<7} {right:.4f} {loss:.4f}")
    if options.record:
        settings = {"seeds": [baseline.SEEDS[0], options.seeds], "momentum": 0.9}
        kind = "sam" if options.sam else "baseline"
        print(f"written to {recorded.save(kind, [asdict(one) for one in found], settings=settings).name}")


if __name__ == "__main__":
    main()
