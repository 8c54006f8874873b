"""The fair baseline of the noisy digits: `python benchmarks/baseline.py --record`.

Momentum at each learning rate of a bracketed grid, on the digits with and without wrong labels, for 20 and
for 40 epochs, judged on validation examples with seeds of its own. `--record` keeps it among the course's
recorded results; lessons 15, 16, 18 and 19 read their rate there. About five minutes of one core.
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
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for label_noise, epochs in baseline.WORLDS:
        found = baseline.measure(label_noise, epochs, baseline.SEEDS[: options.seeds])
        rows.append(asdict(found))
        print(f"label noise {label_noise}, {epochs} epochs: best lr {found.lr}, by loss {found.loss_lr}")
        for lr, right, loss in zip(found.lrs, found.accuracy, found.loss, strict=True):
            print(f"  {lr:<7} {right:.4f} {loss:.4f}")
    if options.record:
        settings = {"seeds": [baseline.SEEDS[0], options.seeds], "momentum": 0.9}
        print(f"written to {recorded.save('baseline', rows, settings=settings).name}")


if __name__ == "__main__":
    main()
