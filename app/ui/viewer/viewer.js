// Text is only ever set as text, never as markup: it comes from the reader's documents.
export default function (component) {
  const { data, parentElement } = component
  const view = parentElement.querySelector(".source")
  view.replaceChildren(data.picture ? pageOf(data, view) : textOf(data))
  if (!data.picture) reveal(view)
  return keepRevealed(view)
}

function textOf(data) {
  const text = document.createElement("div")
  text.className = "text"
  for (const [words, cited] of data.parts) {
    const piece = document.createElement(cited ? "mark" : "span")
    piece.textContent = words
    text.append(piece)
  }
  return text
}

function pageOf(data, view) {
  const page = document.createElement("div")
  page.className = "page"
  const picture = document.createElement("img")
  picture.alt = data.alt
  picture.onload = () => {
    const percent = (value, whole) => `${(100 * value) / whole}%`
    for (const [left, top, right, bottom] of data.boxes) {
      const box = document.createElement("div")
      box.className = "box"
      box.style.left = percent(left, picture.naturalWidth)
      box.style.top = percent(top, picture.naturalHeight)
      box.style.width = percent(right - left, picture.naturalWidth)
      box.style.height = percent(bottom - top, picture.naturalHeight)
      page.append(box)
    }
    reveal(view)
  }
  picture.src = data.picture
  page.append(picture)
  return page
}

// Scrolls the panel alone, not the page around it.
function reveal(view) {
  const first = view.querySelector("mark, .box")
  if (!first) return
  const place = first.getBoundingClientRect()
  const frame = view.getBoundingClientRect()
  view.scrollTop += place.top - frame.top - frame.height / 3
  view.scrollLeft += place.left - frame.left - 24
}

// Fonts, the picture and the panel's own width come late: the place stays in view until the reader moves.
function keepRevealed(view) {
  const observer = new ResizeObserver(() => reveal(view))
  const moved = ["wheel", "pointerdown", "touchstart", "keydown"]
  const end = () => {
    observer.disconnect()
    moved.forEach((name) => view.removeEventListener(name, end))
  }
  moved.forEach((name) => view.addEventListener(name, end, { passive: true }))
  observer.observe(view)
  observer.observe(view.firstElementChild)
  return end
}
