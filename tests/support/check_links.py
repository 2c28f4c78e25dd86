"""Every relative link in the documents leads to a file, every anchor to a heading; a folder's map has all its files."""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
link = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(path):
    headings = re.findall(r"^#+\s+(.*)$", path.read_text(encoding="utf-8"), re.M)
    slug = lambda h: re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-")
    return {slug(h) for h in headings}


bad = []
names = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True)
for name in names.stdout.split():
    page = root / name
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in link.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (page.parent / file).resolve() if file else page
        if not goal.exists():
            bad.append(f"{name}: {target}: no such file")
        elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
            bad.append(f"{name}: {target}: no such heading")
def unmapped(folder):
    """Sources that the folder's README does not name, and names there of which there is no source."""
    sources = {path.stem for path in folder.iterdir() if path.suffix in (".c", ".h")}
    rows = re.findall(r"^\| (`.*?) \|", (folder / "README.md").read_text(encoding="utf-8"), re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    return sorted(sources ^ named)


bad += [f"tape/README.md: {name}: a file without a line, or a line without a file" for name in unmapped(root / "tape")]
print("\n".join(bad) if bad else "links: all lead somewhere")
sys.exit(1 if bad else 0)
