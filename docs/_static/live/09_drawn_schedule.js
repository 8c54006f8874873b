// Lesson 09: a schedule that is drawn, a rate for each of 20 parts of a run, and the mean loss that follows from it.
"use strict";

{
  const STEPS = 400, PARTS = 20, LONG = STEPS / PARTS, D = 20;
  const LAMBDA = live.logspace(-2, 0, D), START = 10;  // noise in proportion to the curvature: s² = λ
  const GRID = [2, 1, 0.7, 0.5, 0.35, 0.2, 0.14, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01];
  const RATES = live.union(GRID, live.logspace(-2, Math.log10(2), 94).map((rate) => Number(rate.toPrecision(2))));

  const lossPath = (rates) => {
    const v = LAMBDA.map(() => START), losses = [];
    const loss = () => v.reduce((sum, value, k) => sum + LAMBDA[k] * value, 0) / 2;
    losses.push(loss());
    for (const lr of rates) {
      for (let k = 0; k < D; k++) v[k] = (1 - lr * LAMBDA[k]) ** 2 * v[k] + lr * lr * LAMBDA[k];
      losses.push(loss());
    }
    return losses;
  };
  const each = (parts) => parts.flatMap((rate) => Array(STEPS / parts.length).fill(rate));

  // The lowest end over 36 peaks of a schedule that falls by the same factor in each step, to `last` of its peak.
  const bestEnd = (last) => live.logspace(-3.2, 0.5, 36).map((peak) => {
    const factor = last ** (1 / STEPS);
    return [lossPath(live.range(STEPS).map((t) => peak * factor ** t)).at(-1), peak];
  }).reduce((best, one) => (one[0] < best[0] ? one : best));
  const [CONSTANT, PEAK] = bestEnd(1), [EXPONENTIAL, HIGH] = bestEnd(0.01);
  const BEST = 0.046682444;  // of figures.learning_rate_decay.best_schedule, which a descent on all 400 rates finds

  const rounded = (schedule) => ({ parts: live.range(PARTS).map((k) => live.nearest(RATES, schedule((k + 0.5) / PARTS))) });
  const TWO = live.range(PARTS).map((k) => (k < PARTS / 2 ? 0.5 : 0.1));
  const set = (values, part, rate) => ({ parts: values.parts.map((old, k) => (k === part - 1 ? rate : old)), part, rate });
  const step = (by) => (values) => {
    const at = live.clamp(RATES.indexOf(values.rate) + by, 0, RATES.length - 1);
    return { rate: RATES[at] };
  };
  const LEVELS = [["best constant", CONSTANT, -6], ["best exponential", EXPONENTIAL, -6], ["best there is", BEST, 15]];

  live.add("09_drawn_schedule", {
    sliders: {
      part: {
        name: "part of the run: ← → choose it, ↑ ↓ its rate", values: live.range(PARTS).map((k) => k + 1), start: 1,
        heard: (part, { parts }) => `part ${part} of ${PARTS}, rate ${live.g(parts[part - 1])}`,
        keys: { ArrowUp: step(1), ArrowDown: step(-1) },
      },
      rate: { name: "rate η of this part", values: RATES, start: 0.5 },
    },
    start: { parts: TWO },
    presets: {
      Constant: rounded(() => PEAK),
      Exponential: rounded((share) => HIGH * 0.01 ** share),
    },
    lossPath,
    levels: { constant: CONSTANT, exponential: EXPONENTIAL, best: BEST },
    // What follows from a slider: a part that is chosen shows its rate, a rate goes to its part.
    change(values, moved) {
      if (moved.parts) return { ...moved, rate: moved.parts[(moved.part || values.part) - 1] };
      if ("rate" in moved) return set(values, values.part, moved.rate);
      return { part: moved.part, rate: values.parts[moved.part - 1] };
    },
    scene({ parts, part }) {
      const rates = each(parts), path = lossPath(rates), end = path.at(-1), steps = live.range(STEPS + 1);
      const words = end < 1e3 ? `ends at ${live.g(end, 3)}` : "diverges";
      const below = LEVELS.filter(([, level]) => end < level).map(([name]) => name);
      const first = live.g(parts[0]), last = live.g(parts.at(-1)), at = (part - 0.5) * (STEPS / parts.length);
      return [
        {
          title: "The rate that you draw",
          alt: `A schedule of ${parts.length} parts, from ${first} to ${last}, the lowest rate ${live.g(Math.min(...parts))}, the highest ${live.g(Math.max(...parts))}.`,
          x: { label: "step", from: 0, to: STEPS, ticks: [0, 100, 200, 300, 400] },
          y: { label: "rate η", log: true, from: 0.006, to: 2.4, ticks: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2] },
          marks: [
            { line: [steps, [...rates, rates.at(-1)]], color: "vermilion", stairs: true, width: 2.2, label: "_child0" },
            ...(part ? [{ dot: [at, parts[part - 1]], size: 6, color: "vermilion", ring: true }] : []),
          ],
          // all parts that the pointer passed since the last event, on the line between
          drag(x, y, [lastX, lastY]) {
            const k = (u) => live.clamp(Math.floor(u / LONG), 0, PARTS - 1), from = k(lastX), to = k(x);
            const drawn = [...parts];
            for (let j = Math.min(from, to); j <= Math.max(from, to); j++) {
              const share = from === to ? 1 : (j - from) / (to - from);
              drawn[j] = live.nearest(RATES, lastY ** (1 - share) * y ** share);
            }
            return { parts: drawn, part: to + 1 };
          },
        },
        {
          title: "The loss that follows",
          alt: `Mean loss against the step: it starts at ${live.g(path[0], 3)} and ${words}, ${below.length ? `below the ${below.join(", the ")}` : "above the best constant rate"}.`,
          x: { label: "step", from: 0, to: STEPS, ticks: [0, 100, 200, 300, 400] },
          y: { label: "mean loss", log: true, from: 0.02, to: 30, ticks: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20] },
          under: { key: "levels", marks: () => LEVELS.flatMap(([name, level, dy]) => [
            { hline: level, dash: name !== "best there is" }, { text: name, at: [6, level], dy }]) },
          marks: [
            { line: [steps, path.map((loss) => Math.min(loss, 1e3))], color: "vermilion", label: "_child0" },
            { text: words, at: [STEPS, 18], anchor: "end", dx: -6, color: "vermilion" },
          ],
        },
      ];
    },
  });
}
