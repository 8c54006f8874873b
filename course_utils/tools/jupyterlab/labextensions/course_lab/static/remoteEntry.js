// What JupyterLab leaves out of a lesson for whoever does not see the page.
//
// JupyterLab drops the alt text that a notebook stores with a picture; a slider of ipywidgets has no name and tells
// a screen reader the place of its value, not the value; sliders that were saved without their kernel are an error
// message. This is a prebuilt extension written by hand: JupyterLab loads the file and asks it for "./extension".
(() => {
  "use strict";
  const LOST = "Error displaying widget: model not found";
  const RUN = "These sliders need the kernel: run this cell to move them. The figure below shows where they begin.";
  let shared;

  /** Give pictures the alt text in their output's metadata. */
  function describePictures(rendermime) {
    for (const kind of ["image/png", "image/jpeg"]) {
      const factory = rendermime.getFactory(kind);
      if (!factory) continue;
      const rank = rendermime.getRank(kind);
      rendermime.addFactory({ ...factory, mimeTypes: [kind], createRenderer: (options) => {
        const widget = factory.createRenderer(options);
        const render = widget.renderModel.bind(widget);
        widget.renderModel = async (model) => {
          await render(model);
          const alt = model.metadata[kind]?.alt;
          if (typeof alt === "string") widget.node.querySelectorAll("img").forEach((img) => { img.alt = alt; });
        };
        return widget;
      } }, rank);
    }
  }

  /** Name a slider's handle after its label, and let it tell the value that is written beside it. */
  function nameSlider(handle) {
    const slider = handle.closest(".widget-slider");
    const readout = slider?.querySelector(".widget-readout");
    if (!readout || handle.dataset.named) return;
    handle.dataset.named = "yes";
    const tell = () => {
      const name = slider.querySelector(".widget-label")?.textContent ?? "";
      const value = readout.textContent;
      if (handle.getAttribute("aria-label") !== name) handle.setAttribute("aria-label", name);
      if (handle.getAttribute("aria-valuetext") !== value) handle.setAttribute("aria-valuetext", value);
    };
    tell();
    const watch = new MutationObserver(tell);
    watch.observe(slider, { childList: true, characterData: true, subtree: true });
    watch.observe(handle, { attributes: true, attributeFilter: ["aria-valuetext"] });
  }

  /** Look at what comes into the page. */
  function watchPage() {
    new MutationObserver((records) => {
      for (const { target, addedNodes } of records) {
        if (addedNodes.length && target.textContent === LOST) target.textContent = RUN;
        for (const node of addedNodes) {
          if (node instanceof Element) node.querySelectorAll(".noUi-handle").forEach(nameSlider);
        }
      }
    }).observe(document.body, { childList: true, subtree: true });
  }

  const container = {
    init: (scope) => { shared = scope; },
    get: async () => {
      const [version] = Object.values(shared["@jupyterlab/rendermime"]);
      const { IRenderMimeRegistry } = (await version.get())();
      const plugin = {
        id: "course_lab:plugin",
        description: "Alt texts, sliders that say what they are, a line where sliders have no kernel.",
        autoStart: true,
        requires: [IRenderMimeRegistry],
        activate: (app, rendermime) => { describePictures(rendermime); watchPage(); },
      };
      return () => ({ __esModule: true, default: plugin });
    },
  };
  (window._JUPYTERLAB ??= {})["course_lab"] = container;
})();
