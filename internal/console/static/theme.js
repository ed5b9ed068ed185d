// Sets the chosen theme before the page is painted.
"use strict";
(() => {
  const choice = localStorage.getItem("theme");
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
})();
