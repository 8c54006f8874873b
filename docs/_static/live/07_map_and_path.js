// Lesson 07: where Adam walks the wrong way in the tug of war C, −1, −1, and the paths of Adam and AMSGrad.
"use strict";

{
  const STEPS = 900, RATE = 0.5, EPS = 1e-8;
  const short = (x) => Number(x.toPrecision(3));
  const CS = live.union([2.1, 2.5, 3, 5, 10], live.logspace(Math.log10(0.02), Math.log10(20), 91).map((x) => short(2 + x)));
  const MEMORIES = live.union([1.1, 1.5, 2, 5, 10, 100, 1000], live.logspace(0.02, 3, 91).map(short));
  const BETAS = live.range(20).map((k) => k / 20);

  // The sum of m / √v over a round, once both repeat; Adam goes against it.
  const drift = (C, beta1, beta2) => [0, 1, 2].reduce((sum, k) => {
    const m = -1 + ((C + 1) * (1 - beta1) * beta1 ** k) / (1 - beta1 ** 3);
    const v = 1 + ((C * C - 1) * (1 - beta2) * beta2 ** k) / (1 - beta2 ** 3);
    return sum + m / Math.sqrt(v);
  }, 0);

  const pull = (C, beta1, beta2, amsgrad) => {
    let p = 0, m = 0, v = 0, most = 0;
    return live.range(STEPS).map((k) => {
      const t = k + 1, g = k % 3 === 0 ? C : -1;
      m += (1 - beta1) * (g - m);
      v = beta2 * v + (1 - beta2) * g * g;
      most = amsgrad ? Math.max(most, v) : v;
      const size = Math.sqrt(most) / Math.sqrt(1 - beta2 ** t) + EPS;
      p = live.clamp(p - ((RATE / Math.sqrt(t)) * m) / (1 - beta1 ** t) / size, -1, 1);
      return p;
    });
  };

  // Both axes logarithmic: C − 2 from 0.02 to 20, the memory of v from 1.001 to 1000.
  const FINE = 200, AT = live.logspace(Math.log10(0.02), Math.log10(20), FINE), HEIGHTS = live.logspace(Math.log10(1.001), 3, FINE);
  const pictures = new Map();
  const picture = (beta1) => {
    if (!pictures.has(beta1)) pictures.set(beta1, live.picture(FINE, FINE, (row, column) => (
      drift(2 + AT[column], beta1, 1 - 1 / HEIGHTS[row]) > 0 ? [205, 224, 216, 255] : NaN)));
    return pictures.get(beta1);
  };

  const T = live.range(STEPS).map((k) => k + 1);
  live.add("07_map_and_path", {
    sliders: {
      C: { name: "strength C", values: CS, start: 3 },
      memory: { name: "memory of v, 1/(1 − β₂)", values: MEMORIES, start: 1.5 },
      beta1: { name: "β₁", values: BETAS, start: 0 },
    },
    drift,
    scene({ C, memory, beta1 }) {
      const beta2 = 1 - 1 / memory, sum = drift(C, beta1, beta2), end = sum > 0 ? "the minimum" : "the wrong end";
      const moved = `${-sum < 0 ? "−" : "+"}${Math.abs(sum).toFixed(2)}`, paths = [false, true].map((amsgrad) => pull(C, beta1, beta2, amsgrad));
      const names = ["Adam", "AMSGrad"], colors = ["blue", "green"];
      const apart = Math.abs(paths[0].at(-1) - paths[1].at(-1)) > 0.25;  // else the names would lie on one another
      return [
        {
          title: `White: Adam goes to the wrong end (β₁ = ${live.g(beta1)})`,
          alt: `Map over C − 2 and the memory of v at β₁ = ${live.g(beta1)}: white where Adam goes to the wrong end, tinted where it goes to the minimum. The mark at C = ${live.g(C)} and a memory of ${live.g(memory)} is in the ${sum > 0 ? "tinted part" : "white"}.`,
          x: { label: "C − 2", log: true, from: 0.02, to: 20 },
          y: { label: "memory of v", log: true, from: 1.001, to: 1000, ticks: [[1.001, "1"], 10, 100, 1000] },
          under: { key: `map ${beta1}`, marks: () => [{ image: picture(beta1), box: [0.02, 20, 1.001, 1000] }] },
          marks: [{ dot: [C - 2, memory], size: 7, color: "vermilion", ring: true }],
          drag: (x, y) => ({ C: live.nearest(CS, 2 + x), memory: live.nearest(MEMORIES, y) }),
        },
        {
          title: `Adam goes to ${end}`,
          alt: `θ against the step, logarithmic, for C = ${live.g(C)}, a memory of ${live.g(memory)} and β₁ = ${live.g(beta1)}: after ${STEPS} steps Adam is at ${live.g(paths[0].at(-1), 2)} and AMSGrad at ${live.g(paths[1].at(-1), 2)}. The minimum is at −1.`,
          right: 74,
          x: { label: "step t", log: true, from: 1, to: STEPS },
          y: { label: "θ", from: -1.25, to: 1.25, ticks: [-1, -0.5, 0, 0.5, 1] },
          under: { key: "ends", marks: () => [
            { hline: -1, color: "light" }, { hline: 1, color: "light" },
            { text: "the minimum", at: [1.1, -1], dy: 16, color: "grey" }, { text: "the wrong end", at: [1.1, 1], dy: -5, color: "grey" }] },
          marks: [
            ...names.map((name, k) => ({ line: [T, paths[k]], color: colors[k], width: 1.4, label: name })),
            ...names.map((name, k) => ({ text: name, at: [STEPS, paths[k].at(-1)], dx: 7, dy: apart ? 4 : k ? 13 : -5, color: colors[k] })),
            { text: `a round moves Adam by ${moved} η`, at: [1.1, 0.5] },
          ],
        },
      ];
    },
  });
}
