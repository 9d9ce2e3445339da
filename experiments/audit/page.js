// Keys press the buttons that show them; none does while a note is written, which Escape leaves.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const note = document.querySelector("#note textarea");
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key.toLowerCase() === "n" && note) {
    event.preventDefault();
    note.focus();
    return;
  }
  const button = document.querySelector(`#key-${CSS.escape(event.key.toLowerCase())}`);
  if (button) {
    event.preventDefault();
    button.click();
  }
});
