// Shows the responses that have a tag and a text; without scripts all are shown.
const form = document.querySelector(".filters");
const articles = [...document.querySelectorAll("#telling article")];
function filter() {
  const { tag, text } = form.elements;
  let shown = 0;
  for (const article of articles) {
    const tagged = !tag.value || article.dataset.tags.split("|").includes(tag.value);
    const said = article.textContent.toLowerCase().includes(text.value.toLowerCase());
    article.hidden = !(tagged && said);
    shown += !article.hidden;
  }
  form.querySelector("output").textContent = `${shown} of ${articles.length}`;
}
form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
filter();
