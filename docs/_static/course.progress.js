// What a reader answered and did stays in this browser, and can be saved to a file. The file has the form of the lab's
// .course/progress.json, which course_utils/exercises/engine/progress_file.py reads.
"use strict";

{
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href).pathname;
  const KEY = `course-progress ${root}`;  // courses on one host do not mix

  const records = (text) => {
    const content = JSON.parse(text);
    if (content.version !== 1 || typeof content.exercises !== "object" || content.exercises === null) throw new Error("another form");
    return content.exercises;
  };
  const read = () => {
    try { return records(localStorage.getItem(KEY)); } catch { return {}; }
  };
  const whole = (all) => `${JSON.stringify({ version: 1, exercises: all }, null, 1)}\n`;
  const write = (all) => {
    try { localStorage.setItem(KEY, whole(all)); } catch { return; }  // a browser that keeps nothing: the page works without
    for (const one of shown) one();
  };
  const keep = (id, change) => write({ ...read(), [id]: { ...read()[id], ...change } });
  const shown = [];

  const element = (tag, text, properties = {}) => Object.assign(document.createElement(tag), { textContent: text, ...properties });

  // ---- quizzes: the first choice is the answer, the others can be read after it

  const quizzes = new Map();
  for (const quiz of document.querySelectorAll(".course-quiz")) {
    const choices = [...quiz.querySelectorAll("details")];
    if (!choices.length) continue;
    const id = choices[0].getAttribute("name").replace(/^quiz-/, "");
    const letter = (k) => "abcdefghij"[k];
    const mark = element("span", "your answer", { className: "course-chosen" });
    const show = () => {
      const chosen = choices["abcdefghij".indexOf((read()[id] || {}).choice || "-")];
      if (chosen) chosen.querySelector("summary").append(" ", mark);
    };
    const before = choices["abcdefghij".indexOf((read()[id] || {}).choice || "-")];
    if (before) before.open = true;
    choices.forEach((choice, k) => choice.addEventListener("toggle", () => {
      if (choice.open && !(read()[id] || {}).choice) keep(id, { choice: letter(k) });
    }));
    shown.push(show);
    quizzes.set(id, choices.map((choice) => choice.querySelector("p > strong").textContent.startsWith("Right")));
  }

  // ---- exercises: hints that were opened, and a box to tick

  const exercises = [];
  for (const folds of document.querySelectorAll(".course-folds[data-exercise]")) {
    const id = folds.dataset.exercise;
    const label = element("label", "", { className: "course-done" }), box = element("input", "", { type: "checkbox" });
    label.append(box, " I have solved this");
    folds.prepend(label);
    box.addEventListener("change", () => keep(id, { done: box.checked }));
    const hints = [...folds.querySelectorAll("details")].filter((one) => one.querySelector("summary").textContent.startsWith("Hint"));
    hints.forEach((hint, k) => hint.addEventListener("toggle", () => {
      if (hint.open && ((read()[id] || {}).hints || 0) <= k) keep(id, { hints: k + 1 });
    }));
    shown.push(() => { box.checked = isDone(read()[id]); });
    exercises.push(id);
  }
  const isDone = (record) => Boolean(record && (record.done || record.state === "correct"));

  // ---- where one stands

  const download = () => {
    const address = URL.createObjectURL(new Blob([whole(read())], { type: "application/json" }));
    const link = element("a", "", { href: address, download: "progress.json" });
    link.click();
    URL.revokeObjectURL(address);
  };
  for (const place of document.querySelectorAll(".course-progress")) {
    const line = element("p", ""), buttons = element("p", ""), said = element("span", "", { role: "status" });
    const save = element("button", "Save progress to a file", { type: "button", onclick: download });
    const load = element("button", "Load it from a file", { type: "button" });
    const file = element("input", "", { type: "file", accept: ".json", hidden: true });
    load.addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      try {
        write({ ...read(), ...records(await file.files[0].text()) });
        said.textContent = " Loaded.";
      } catch {
        said.textContent = " This file holds no progress of a course.";
      }
      file.value = "";
    });
    buttons.append(save, " ", load, file, said);
    place.append(line, buttons);
    place.hidden = false;
    shown.push(() => {
      const all = read(), answered = [...quizzes].filter(([id]) => (all[id] || {}).choice);
      const right = answered.filter(([id, notes]) => notes["abcdefghij".indexOf(all[id].choice)]).length;
      const done = exercises.filter((id) => isDone(all[id])).length;
      line.textContent = `In this lesson: ${answered.length} of ${quizzes.size} questions answered (${right} right at once), `
        + `${done} of ${exercises.length} exercises solved. This browser remembers it.`;
    });
  }

  // On a list of lessons: what was done in each.
  for (const link of document.querySelectorAll(".bd-article li > p > a[href*='lessons/'], .bd-article td a[href*='lessons/']")) {
    const number = (link.getAttribute("href").match(/lessons\/(\d\d)_\w+\.html$/) || [])[1];
    if (!number) continue;
    const mark = element("span", "", { className: "course-chosen" });
    shown.push(() => {
      const mine = Object.entries(read()).filter(([id]) => id.startsWith(`${number}.`)).map(([, record]) => record);
      const done = mine.filter(isDone).length, answered = mine.filter((record) => record.choice).length;
      const words = [done && `${done} solved`, answered && `${answered} answered`].filter(Boolean);
      mark.textContent = words.join(", ");
      if (words.length && !mark.isConnected) link.after(" ", mark);
    });
  }

  for (const one of shown) one();
}
