// Measures every frame once all of them are loaded, and leaves the result as JSON in the document.
"use strict";

// The channels of a colour as the browser computed it.
function channels(colour) {
  return colour.match(/[\d.]+/g).map(Number);
}

// Relative luminance, as WCAG 2.2 defines it.
function luminance(colour) {
  const linear = channels(colour).slice(0, 3).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

// What is behind an element: the first background that can be seen.
function behind(element, view) {
  for (let each = element; each; each = each.parentElement) {
    const colour = view.getComputedStyle(each).backgroundColor;
    if (channels(colour)[3] !== 0) return colour;
  }
  return "rgb(255, 255, 255)";
}

// The contrast of an element's text with what is behind it.
function contrast(element, view) {
  const pair = [luminance(view.getComputedStyle(element).color), luminance(behind(element, view))];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}

function measure(frame) {
  const view = frame.contentWindow;
  const page = frame.contentDocument;
  const all = [...page.body.querySelectorAll("*")];
  const has_text = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
  const shown = (element) => element.checkVisibility() && !element.closest("svg");
  const texts = all.filter((element) => has_text(element) && shown(element));
  const worst = texts.reduce((a, b) => (contrast(b, view) < contrast(a, view) ? b : a));
  const drawings = [...page.querySelectorAll("svg")].filter((each) => each.checkVisibility());
  const gaps = [...page.querySelectorAll("rect.gap")].filter((each) => each.checkVisibility());
  const fits = page.querySelector("rect.fits");
  const width = (element) => element.getBoundingClientRect().width;
  return {
    page: frame.dataset.page,
    width: frame.clientWidth,
    scrollWidth: page.documentElement.scrollWidth,
    widest: all.reduce((a, b) => (width(b) > width(a) ? b : a)).outerHTML.slice(0, 120),
    resources: view.performance.getEntriesByType("resource").length,
    scripts: page.scripts.length,
    drawings: drawings.length,
    flat: drawings.filter((each) => width(each) < 50).length,
    paper: luminance(behind(page.body, view)),
    contrast: contrast(worst, view),
    palest: worst.outerHTML.slice(0, 120),
    gaps: gaps.length,
    gapWidth: Math.max(0, ...gaps.map(width)),
    gapColour: gaps.length ? view.getComputedStyle(gaps[0]).fill : "",
    fitsColour: fits ? view.getComputedStyle(fits).fill : "",
    gapInWords: texts.some((element) => element.textContent.includes("GAP")),
  };
}

addEventListener("load", () => {
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(measure));
  document.body.append(result);
});
