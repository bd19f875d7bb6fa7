// django-unfold 0.110 gives its pages no landmark for what they are about.
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("main")?.setAttribute("role", "main");
});
