// Lesson 10: gradient descent on θ⁴/4 with a warm-up: the rate against its edge, and where the point goes.
"use strict";

{
  const START = 0.9, STEPS = 60, FAR = 1e6;
  const PEAKS = live.union([1, 2.4, 2.5, 5, 10, 20, 50, 100], live.logspace(0, 2, 101).map((peak) => Number(peak.toPrecision(3))));
  const WARMUPS = live.range(82), T = live.range(STEPS);

  const run = (peak, warmup) => {
    const rates = T.map((t) => peak * (t < warmup ? (t + 1) / warmup : 1)), points = [START];
    for (const rate of rates) {
      const theta = points.at(-1);
      points.push(live.clamp(theta - rate * theta ** 3, -FAR, FAR));
    }
    return [rates, points];
  };

  live.add("10_warm_quartic", {
    sliders: {
      peak: { name: "peak rate", values: PEAKS, start: 20 },
      warmup: { name: "steps of warm-up", values: WARMUPS, start: 12 },
    },
    scene({ peak, warmup }) {
      const [rates, points] = run(peak, warmup), sizes = points.slice(0, -1).map(Math.abs);
      const edge = sizes.map((size) => (size < FAR ? 2 / Math.max(size, 1e-2) ** 2 : NaN));
      const out = points.findIndex((theta) => Math.abs(theta) >= 10), arrives = out < 0;
      const shown = points.slice(0, arrives ? points.length : out + 1);
      const choice = `Peak ${live.g(peak)}, warm-up ${live.g(warmup)}`;
      const over = rates.filter((rate, t) => rate > edge[t]).length;
      return [
        {
          title: "The rate must stay below the edge",
          alt: `Rate and edge 2/θ² against the step. ${choice}: the rate is above the edge in ${over} of ${STEPS} steps.`,
          right: 74,
          x: { label: "step", from: -3, to: 62 },
          y: { label: "step size", log: true, from: 0.1, to: 1e5 },
          marks: [
            { line: [T, rates], color: "blue", label: "rate η" },
            { line: [T, edge], dash: true, width: 1.2, label: "edge 2/θ²" },
            { dot: [Math.max(warmup - 1, 0), peak], color: "blue", size: 6, ring: true },
            { text: "rate η", at: [STEPS - 1, rates.at(-1)], dx: 8, dy: 4, color: "blue" },
            ...(Number.isFinite(edge.at(-1)) ? [{ text: "edge 2/θ²", at: [STEPS - 1, Math.min(edge.at(-1), 8e4)], dx: 8, dy: 4 }] : []),
          ],
          // the corner at which the rate reaches its peak is dragged
          drag: (x, y) => ({ peak: live.nearest(PEAKS, y), warmup: x < 0.5 ? 0 : live.nearest(WARMUPS, Math.round(x) + 1) }),
        },
        {
          title: `${choice}: ${arrives ? "arrives" : "runs away"}`,
          alt: `θ against the step from 0.9. ${choice}: ${arrives ? "it comes in to the minimum at 0" : `it has left the picture after ${out} steps`}.`,
          x: { label: "step", from: -3, to: 63 },
          y: { label: "θ", from: -3, to: 3 },
          under: { key: "zero", marks: () => [{ hline: 0, color: "light" }] },
          marks: [{ line: [live.range(shown.length), shown], color: arrives ? "blue" : "vermilion", label: "_child0" }],
        },
      ];
    },
  });
}
