// Figures that move: sliders, and panels drawn anew as SVG for each of their states. No kernel, no network, no library.
//
// A figure is a script in live/, named as the lesson's number and the function of the lesson's figures that it draws:
//
//   live.add("00_narrowing", {
//     sliders: { seeds: { name: "number of seeds", values: [4, 8, 16], start: 8 } },
//     scene({ seeds }) { return [panel, panel]; },
//   });
//
// A panel is data: title, alt, x and y (an axis: label, from, to, log, ticks), marks, what lies under them and stays
// (under: a key and its marks), room for names at its right, and, where it can be dragged, `drag(x, y, last)`: the values
// for a pointer there that was at `last` before. A figure may hold values that no slider has (`start`), and then says what
// follows from a slider that is moved (`change(values, moved)`); it may offer `presets`. A slider may `show` its value in its own way, let it be
// `heard` in another, and have `keys`; it may stand in a named `group`, and only where it is `needed(values)`. One with
// `options`, [[value, words], ...], is a list to choose from. With `link` a figure's state is kept in an address.
// A figure that needs Python is a picture for each state (`live.pictured`): course_utils/tools/site/explored.py draws them.
// The lines that have a label can be held against the lines of the Python figure that have it. For kinds of marks see
// MARKS.
"use strict";

const live = { modules: {}, add(name, module) { live.modules[name] = module; } };

{
  // ---- numbers as Python prints them

  // `${live.g(x)}` is f"{x:g}"; digits are significant ones.
  live.g = (x, digits = 6) => {
    if (!Number.isFinite(x)) return x > 0 ? "inf" : x < 0 ? "-inf" : "nan";
    if (x === 0) return "0";
    const power = Number(x.toExponential(digits - 1).split("e")[1]);
    if (power >= -4 && power < digits) return String(Number(x.toPrecision(digits)));
    const [mantissa] = x.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  };

  // count values from a to b, both included; and in the logarithm to base 10.
  live.linspace = (a, b, count) => Array.from({ length: count }, (_, k) => a + ((b - a) * k) / (count - 1));
  live.logspace = (a, b, count) => live.linspace(a, b, count).map((power) => 10 ** power);
  live.range = (count) => Array.from({ length: count }, (_, k) => k);
  // Sorted values of several lists, each once.
  live.union = (...lists) => [...new Set(lists.flat())].sort((a, b) => a - b);
  live.nearest = (values, x) => values.reduce((best, v) => (Math.abs(v - x) < Math.abs(best - x) ? v : best));
  live.clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  // Contours of (p - centre)^T A (p - centre) = level, A symmetric: [xs, ys].
  live.ellipse = ([[a, b], [, d]], centre, level) => {
    const mean = (a + d) / 2, gap = Math.hypot((a - d) / 2, b), turn = Math.atan2(2 * b, a - d) / 2;
    const long = Math.sqrt(level / (mean - gap)), short = Math.sqrt(level / (mean + gap));
    const c = Math.cos(turn), s = Math.sin(turn), xs = [], ys = [];
    for (let k = 0; k <= 96; k++) {
      const u = short * Math.cos((k * Math.PI) / 48), v = long * Math.sin((k * Math.PI) / 48);
      xs.push(centre[0] + c * u - s * v);
      ys.push(centre[1] + s * u + c * v);
    }
    return [xs, ys];
  };

  // The symmetric matrix with these curvatures, its eigenvectors turned away from the axes.
  live.turned = (mu, L, angle) => {
    const c = Math.cos(angle), s = Math.sin(angle);
    return [[c * c * mu + s * s * L, c * s * (mu - L)], [c * s * (mu - L), s * s * mu + c * c * L]];
  };
  live.times = ([[a, b], [c, d]], [x, y]) => [a * x + b * y, c * x + d * y];

  // A map as the address of a picture: value(row, column) in [0, 1], NaN for white, or four bytes; row 0 is the lowest.
  live.picture = (rows, columns, value) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d"), data = context.createImageData(columns, rows);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const share = value(row, column), at = 4 * ((rows - 1 - row) * columns + column);
        data.data.set(Array.isArray(share) ? share : Number.isNaN(share) ? [255, 255, 255, 255] : cividis(share), at);
      }
    }
    context.putImageData(data, 0, 0);
    return canvas.toDataURL();
  };
  const CIVIDIS = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120],
    [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];
  const cividis = (share) => {
    const place = live.clamp(share, 0, 1) * (CIVIDIS.length - 1), k = Math.min(Math.floor(place), CIVIDIS.length - 2);
    return [...CIVIDIS[k].map((c, j) => Math.round(c + (CIVIDIS[k + 1][j] - c) * (place - k))), 255];
  };

  // ---- axes

  const SUPER = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const power = (k) => (k >= -2 && k <= 3 ? String(Number((10 ** k).toPrecision(3)))
    : `10${[...String(k)].map((letter) => SUPER[letter]).join("")}`);

  const scale = (axis, begin, end) => {
    const f = axis.log ? Math.log10 : (v) => v;
    const low = f(axis.from), per = (end - begin) / (f(axis.to) - low);
    return {
      // no number of a path that runs away may break a picture
      at: (v) => live.clamp(begin + (f(Math.max(v, axis.log ? 1e-300 : -Infinity)) - low) * per, -5000, 9000),
      back: (pixel) => { const v = low + (pixel - begin) / per; return axis.log ? 10 ** v : v; },
    };
  };

  const ticks = (axis, most) => {
    if (axis.ticks) return axis.ticks.map((tick) => (Array.isArray(tick) ? tick : [tick, minus(live.g(tick))]));
    if (axis.log) {
      const first = Math.ceil(Math.log10(axis.from) - 1e-9), last = Math.floor(Math.log10(axis.to) + 1e-9);
      const stride = Math.ceil((last - first + 1) / most);
      return live.range(last - first + 1).filter((k) => k % stride === 0).map((k) => [10 ** (first + k), power(first + k)]);
    }
    const rough = (axis.to - axis.from) / most, unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * unit).find((size) => size >= rough - 1e-12);
    const first = Math.ceil(axis.from / step - 1e-9), last = Math.floor(axis.to / step + 1e-9);
    return live.range(last - first + 1).map((k) => (first + k) * step).map((v) => [v, minus(live.g(v, 4))]);
  };
  const minus = (text) => text.replace("-", "−");

  // ---- marks

  const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
  const px = (v) => v.toFixed(1);

  const drawn = (xs, ys, x, y, stairs) => {
    let path = "", pen = false;
    for (let k = 0; k < xs.length; k++) {
      if (!Number.isFinite(xs[k]) || !Number.isFinite(ys[k])) { pen = false; continue; }
      const at = px(x.at(xs[k]));
      if (stairs && pen) path += `H${at}`;
      path += `${pen ? "L" : "M"}${at} ${px(y.at(ys[k]))}`;
      pen = true;
    }
    return path;
  };

  const SHAPES = {
    dot: (x, y, r) => `<circle cx="${px(x)}" cy="${px(y)}" r="${r}"`,
    star: (x, y, r) => {
      const points = live.range(10).map((k) => {
        const far = k % 2 ? 0.45 * r : r, turn = (k * Math.PI) / 5;
        return `${px(x + far * Math.sin(turn))},${px(y - far * Math.cos(turn))}`;
      });
      return `<polygon points="${points.join(" ")}"`;
    },
  };

  const MARKS = {
    // { line: [xs, ys], color, dash, width, dots: radius, stairs }
    line({ line: [xs, ys], color = "ink", dash, width = 1.8, dots, stairs, fade }, x, y) {
      const style = `${dash ? ' stroke-dasharray="6 4"' : ""}${fade ? ` opacity="${fade}"` : ""}`;
      let text = width ? `<path class="stroke-${color}" d="${drawn(xs, ys, x, y, stairs)}" stroke-width="${width}"${style}/>` : "";
      if (dots) {
        for (let k = 0; k < xs.length; k++) {
          const u = x.at(xs[k]), v = y.at(ys[k]);
          if (u > -50 && v > -50 && u < 2000 && v < 2000)
            text += `<circle class="fill-${color}" cx="${px(u)}" cy="${px(v)}" r="${dots}"${style}/>`;
        }
      }
      return text;
    },
    // { points: [xs, ys], color, size }: small ones, many of them
    points({ points: [xs, ys], color = "ink", size = 3 }, x, y) {
      const path = xs.map((at, k) => `M${px(x.at(at))} ${px(y.at(ys[k]))}h0`).join("");
      return `<path class="stroke-${color}" d="${path}" stroke-width="${size}" stroke-linecap="round"/>`;
    },
    // { dot: [x, y], color, shape: "dot" or "star", size, ring }
    dot({ dot, color = "ink", shape = "dot", size = 5, ring }, x, y) {
      return `${SHAPES[shape](x.at(dot[0]), y.at(dot[1]), size)} class="fill-${color}${ring ? " ring" : ""}"/>`;
    },
    // { text, at: [x, y] or share: [x, y] of the frame from its lower left, anchor, color, dx, dy in pixels }
    text({ text, at, share, anchor = "start", color = "ink", dx = 0, dy = 0 }, x, y, frame) {
      const [u, v] = at ? [x.at(at[0]), y.at(at[1])] : [frame.x + share[0] * frame.w, frame.y + (1 - share[1]) * frame.h];
      return `<text class="fill-${color} halo" x="${px(u + dx)}" y="${px(v + dy)}" text-anchor="${anchor}">${escaped(text)}</text>`;
    },
    // { area: [xs, ys], color }
    area({ area: [xs, ys], color }, x, y) {
      return `<path class="fill-${color}" opacity="0.2" d="${drawn(xs, ys, x, y)}Z"/>`;
    },
    // { bars: [xs, ys], wide: in units of x, color }
    bars({ bars: [xs, ys], wide, color }, x, y) {
      const zero = y.at(0), width = px(Math.abs(x.at(wide) - x.at(0)));
      return xs.map((at, k) => `<rect class="fill-${color}" x="${px(x.at(at - wide / 2))}" y="${px(y.at(ys[k]))}" width="${width}"`
        + ` height="${px(Math.max(zero - y.at(ys[k]), 0))}"/>`).join("");
    },
    // { image: address, box: [x from, x to, y from, y to] }
    image({ image, box }, x, y) {
      const left = x.at(box[0]), top = y.at(box[3]);
      return `<image href="${image}" x="${px(left)}" y="${px(top)}" width="${px(x.at(box[1]) - left)}"`
        + ` height="${px(y.at(box[2]) - top)}" preserveAspectRatio="none" style="image-rendering: pixelated"/>`;
    },
    // { vline: x } and { hline: y }
    vline: ({ vline, ...rest }, x, y, frame) =>
      MARKS.line({ line: [[vline, vline], [y.back(frame.y + frame.h), y.back(frame.y)]], width: 1.2, ...rest }, x, y),
    hline: ({ hline, ...rest }, x, y, frame) =>
      MARKS.line({ line: [[x.back(frame.x), x.back(frame.x + frame.w)], [hline, hline]], width: 1.2, ...rest }, x, y),
  };
  const OUTSIDE = new Set(["text"]);  // what may stand over the frame's edge
  const kind = (mark) => Object.keys(MARKS).find((name) => name in mark);

  // ---- a panel

  const LEFT = 52, RIGHT = 12, TOP = 8, BOTTOM = 42;

  const layout = (panel, width, height) => {
    const frame = { x: LEFT, y: TOP, w: width - LEFT - (panel.bar ? 72 : panel.right || RIGHT), h: height };
    if (panel.equal) {  // one unit is as long on both axes: the larger of two frames that fit
      const shape = (panel.y.to - panel.y.from) / (panel.x.to - panel.x.from);
      frame.h = Math.min(height, frame.w * shape);
      frame.w = frame.h / shape;
    }
    return { frame, x: scale(panel.x, frame.x, frame.x + frame.w), y: scale(panel.y, frame.y + frame.h, frame.y) };
  };

  const axes = (panel, { frame, x, y }) => {
    const bottom = frame.y + frame.h, right = frame.x + frame.w;
    let text = `<path class="stroke-grey" stroke-width="1" d="M${frame.x} ${frame.y}V${bottom}H${right}"/>`;
    for (const [at, name] of ticks(panel.x, Math.max(3, Math.floor(frame.w / 60)))) {
      const u = px(x.at(at));
      text += `<path class="stroke-grey" d="M${u} ${bottom}v4"/><text class="tick" x="${u}" y="${bottom + 17}" text-anchor="middle">${escaped(name)}</text>`;
    }
    for (const [at, name] of ticks(panel.y, 6)) {
      const v = y.at(at);
      text += `<path class="stroke-grey" d="M${frame.x} ${px(v)}h-4"/><text class="tick" x="${frame.x - 7}" y="${px(v + 4)}" text-anchor="end">${escaped(name)}</text>`;
    }
    text += `<text class="name" x="${frame.x + frame.w / 2}" y="${bottom + 35}" text-anchor="middle">${escaped(panel.x.label)}</text>`;
    const middle = frame.y + frame.h / 2;
    text += `<text class="name" transform="rotate(-90 12 ${middle})" x="12" y="${middle}" text-anchor="middle">${escaped(panel.y.label)}</text>`;
    if (panel.bar) {  // of colours: { label, ticks: [[share, name], ...] }
      const left = right + 12;
      text += `<image href="${live.picture(64, 1, (row) => row / 63)}" x="${left}" y="${frame.y}" width="10" height="${frame.h}" preserveAspectRatio="none"/>`;
      for (const [share, name] of panel.bar.ticks)
        text += `<text class="tick" x="${left + 14}" y="${px(frame.y + (1 - share) * frame.h + 4)}">${escaped(name)}</text>`;
      text += `<text class="name" transform="rotate(-90 ${left + 52} ${middle})" x="${left + 52}" y="${middle}" text-anchor="middle">${escaped(panel.bar.label)}</text>`;
    }
    return text;
  };

  const marks = (list, { frame, x, y }) => {
    const inside = [], outside = [];
    for (const mark of list) {
      const name = kind(mark);
      (OUTSIDE.has(name) ? outside : inside).push(MARKS[name](mark, x, y, frame));
    }
    return [inside.join(""), outside.join("")];
  };

  let count = 0;

  class Panel {
    constructor(figure) {
      this.figure = figure;
      this.id = `live-${++count}`;
      this.node = document.createElement("div");
      this.node.className = "live-panel";
      this.node.innerHTML = '<p class="live-title"></p><svg role="img"><defs><clipPath><rect/></clipPath></defs>'
        + '<g class="under"></g><g class="axes"></g><g class="inside"></g><g class="outside"></g></svg>';
      [this.title, this.svg] = this.node.children;
      this.svg.querySelector("clipPath").id = this.id;
      [, this.under, this.axes, this.inside, this.outside] = this.svg.children;
      for (const group of [this.under, this.inside]) group.setAttribute("clip-path", `url(#${this.id})`);
      this.listen();
    }

    draw(panel, width, tall) {
      this.panel = panel;
      this.node.style.width = `${width}px`;
      this.place = layout(panel, width, tall);
      const { frame } = this.place, height = frame.h + TOP + BOTTOM;
      this.title.textContent = panel.title;
      this.svg.setAttribute("aria-label", panel.alt);
      this.svg.classList.toggle("draggable", Boolean(panel.drag));
      // what does not change is not touched: the axes, and what lies under the marks
      const still = `${width} ${height} ${JSON.stringify([panel.x, panel.y, panel.under && panel.under.key])}`;
      if (still !== this.still) {
        this.still = still;
        this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        this.svg.setAttribute("width", width);
        this.svg.setAttribute("height", height);
        const rect = this.svg.querySelector("clipPath rect");
        for (const [name, value] of [["x", frame.x], ["y", frame.y], ["width", frame.w], ["height", frame.h]])
          rect.setAttribute(name, value);
        this.axes.innerHTML = axes(panel, this.place);
        this.under.innerHTML = panel.under ? marks(panel.under.marks(), this.place).join("") : "";
      }
      [this.inside.innerHTML, this.outside.innerHTML] = marks(panel.marks, this.place);
    }

    listen() {
      const at = (event) => {
        const box = this.svg.getBoundingClientRect(), grow = this.svg.viewBox.baseVal.width / box.width;
        const { frame, x, y } = this.place;
        const u = live.clamp((event.clientX - box.left) * grow, frame.x, frame.x + frame.w);
        const v = live.clamp((event.clientY - box.top) * grow, frame.y, frame.y + frame.h);
        return [x.back(u), y.back(v)];
      };
      this.svg.addEventListener("pointerdown", (event) => {
        if (!this.panel.drag || event.button) return;
        this.svg.setPointerCapture(event.pointerId);
        this.last = at(event);
        this.figure.set(this.panel.drag(...this.last, this.last));
        event.preventDefault();
      });
      this.svg.addEventListener("pointermove", (event) => {
        if (!this.svg.hasPointerCapture(event.pointerId)) return;
        const here = at(event);
        this.figure.set(this.panel.drag(...here, this.last));
        this.last = here;
      });
    }
  }

  // A figure of pictures beside this script: 0.webp, 1.webp, ..., the last slider running fastest.
  live.pictured = (module) => {
    const folder = document.currentScript ? document.currentScript.src.replace(/[^/]*$/, "") : "";
    return { ...module, pictures: { ...module.pictures, folder } };
  };

  // ---- a figure: its sliders and panels, in place of the still

  class Figure {
    constructor(node, module) {
      this.module = module;
      this.start = Object.fromEntries(Object.entries(module.sliders).map(([name, one]) => [name, one.start]));
      Object.assign(this.start, module.start);
      this.values = { ...this.start };
      this.box = document.createElement("div");
      this.box.className = "live-figure";
      this.box.setAttribute("role", "group");
      this.box.setAttribute("aria-label", "Interactive figure");
      this.box.innerHTML = '<div class="live-sliders"></div><div class="live-panels"></div><p class="live-said" aria-live="polite"></p>';
      [this.controls, this.panels, this.said] = this.box.children;
      this.groups = new Map();
      this.sliders = Object.entries(module.sliders).map(([name, one]) => this.control(name, one));
      const buttons = document.createElement("span");
      buttons.className = "live-buttons";
      this.controls.append(buttons);
      for (const [name, values] of Object.entries({ ...module.presets, Reset: this.start })) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = name;
        button.addEventListener("click", () => this.set(values));
        buttons.append(button);
      }
      if (module.link) this.link(buttons);
      node.append(this.box);
      node.classList.add("is-live");
      this.drawings = [];
      this.draw();
      if (!module.pictures) new ResizeObserver(() => { if (this.box.clientWidth !== this.width) this.ask(); }).observe(this.box);
    }

    // A slider or a list, in its group; what comes back makes it follow the values.
    control(name, one) {
      const label = document.createElement("label");
      const follow = one.options ? this.list(name, one, label) : this.slider(name, one, label);
      this.place(one.group).append(label);
      return () => {
        label.hidden = Boolean(one.needed) && !one.needed(this.values);
        follow();
      };
    }

    place(group) {
      if (!group) return this.controls;
      if (!this.groups.has(group)) {
        const box = document.createElement("fieldset");
        box.append(document.createElement("legend"));
        box.firstChild.textContent = group;
        this.controls.append(box);
        this.groups.set(group, box);
      }
      return this.groups.get(group);
    }

    list(name, { name: words, options }, label) {
      label.innerHTML = "<span></span><select></select>";
      const [said, select] = label.children;
      said.textContent = words;
      for (const [value, text] of options) select.add(new Option(text, value));
      select.addEventListener("change", () => this.set({ [name]: select.value }));
      return () => { select.value = this.values[name]; };
    }

    slider(name, { name: words, values, show = (value) => live.g(value), heard = show, keys = {} }, label) {
      label.innerHTML = `<span></span><input type="range" min="0" max="${values.length - 1}" step="1"><output></output>`;
      const [said, input, output] = label.children;
      said.textContent = words;
      output.setAttribute("aria-hidden", "true");  // the slider says it
      output.style.minWidth = `${Math.max(...values.map((v) => show(v, this.values).length))}ch`;
      input.addEventListener("input", () => this.set({ [name]: values[input.value] }));
      input.addEventListener("keydown", (event) => {
        if (!keys[event.key]) return;
        event.preventDefault();
        this.set(keys[event.key](this.values));
      });
      return () => {
        const text = show(this.values[name], this.values);
        input.value = values.indexOf(this.values[name]);
        input.setAttribute("aria-valuetext", heard(this.values[name], this.values));
        output.textContent = text;
      };
    }

    // A button that puts what differs from the start behind the # of the page's address, and its way back.
    link(buttons) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy link";
      button.addEventListener("click", () => {
        const differs = Object.entries(this.values).filter(([name, value]) => value !== this.start[name]);
        location.replace(`#${new URLSearchParams(differs)}`);
        const copied = navigator.clipboard ? navigator.clipboard.writeText(location.href) : Promise.reject();
        const say = (text) => { button.textContent = text; setTimeout(() => { button.textContent = "Copy link"; }, 2000); };
        copied.then(() => say("Copied"), () => say("It is in the address bar"));
      });
      buttons.append(button);
      const read = () => { if (location.hash.includes("=")) this.set({ ...this.start, ...this.read(location.hash) }); };
      addEventListener("hashchange", read);
      read();
    }

    // What an address says, as far as it is known here: a list's own values, a slider's nearest one, other numbers.
    read(hash) {
      const found = {};
      for (const [name, text] of new URLSearchParams(hash.slice(1))) {
        const one = this.module.sliders[name], value = Number(text);
        if (one && one.options) {
          if (one.options.some(([key]) => key === text)) found[name] = text;
        } else if (Number.isFinite(value) && name in this.start) found[name] = one ? live.nearest(one.values, value) : value;
      }
      return found;
    }

    set(moved) {
      Object.assign(this.values, this.module.change ? this.module.change(this.values, moved) : moved);
      this.ask();
    }

    ask() {
      if (this.asked) return;
      this.asked = true;
      requestAnimationFrame(() => { this.asked = false; this.draw(); });
    }

    draw() {
      if (!this.box.clientWidth && !this.module.pictures) return;  // hidden: drawn once it is seen
      const began = performance.now();
      for (const follow of this.sliders) follow();
      if (this.module.pictures) return this.picture();
      const scene = this.module.scene(this.values);
      while (this.drawings.length < scene.length) {
        this.drawings.push(new Panel(this));
        this.panels.append(this.drawings.at(-1).node);
      }
      this.width = this.box.clientWidth;
      const side = scene.length > 1 && this.width >= 600, gap = 16;
      const shares = scene.map((panel) => panel.share || 1), all = shares.reduce((a, b) => a + b);
      const widths = shares.map((share) => Math.floor(side ? ((this.width - gap * (scene.length - 1)) * share) / all : this.width));
      // side by side all are as tall as the lowest; a slide has less room for them
      const limit = (Number(getComputedStyle(this.box).getPropertyValue("--live-tallest")) || 300) * (side ? 1 : 1.2);
      const most = Math.round(live.clamp((side ? 0.34 : 0.62) * this.width, 190, limit));
      const tall = Math.min(...scene.map((panel, k) => (side ? layout(panel, widths[k], most).frame.h : most)));
      const high = Math.round(Math.min(0.9 * this.width, 1.2 * limit));  // of a panel below others: room for one of equal units
      scene.forEach((panel, k) => this.drawings[k].draw(panel, widths[k], !side && panel.equal ? high : tall));
      this.took = performance.now() - began;
      this.say(scene);
    }

    // The picture of this state; those of the states next to it are fetched before they are asked for.
    picture() {
      const { folder, size, alts } = this.module.pictures, sliders = Object.entries(this.module.sliders);
      const place = (values) => sliders.reduce((sum, [name, one]) => sum * one.values.length + one.values.indexOf(values[name]), 0);
      const here = place(this.values);
      if (!this.shown) {
        this.shown = document.createElement("img");
        [this.shown.width, this.shown.height] = size;
        this.panels.append(this.shown);
      }
      this.shown.src = `${folder}${here}.webp`;
      this.shown.alt = alts[here];
      if (this.spoken !== undefined) {
        for (const [name, { values }] of sliders) {
          for (const step of [-1, 1]) {
            const next = values[values.indexOf(this.values[name]) + step];
            if (next !== undefined) new Image().src = `${folder}${place({ ...this.values, [name]: next })}.webp`;
          }
        }
      }
      this.say([{ title: alts[here] }]);
    }

    // A screen reader hears the outcome once the figure rests.
    say(scene) {
      const text = scene.map((panel) => panel.title).join(". ");
      clearTimeout(this.saying);
      if (this.spoken !== undefined && text !== this.spoken) this.saying = setTimeout(() => { this.said.textContent = text; }, 700);
      this.spoken = text;
    }
  }

  live.start = (root = document) => {
    for (const node of root.querySelectorAll("[data-live]:not(.is-live)"))
      if (live.modules[node.dataset.live]) node.figure = new Figure(node, live.modules[node.dataset.live]);
  };
  if (document.readyState === "complete") live.start();
  else document.addEventListener("DOMContentLoaded", () => live.start());
}
