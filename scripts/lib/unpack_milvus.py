"""Unpacks the Milvus server out of its PyPI wheel: unpack_milvus.py WHEEL_DATA TARGET.

The wheel brings the program and its libraries compressed one by one, and a configuration template with
`{{ name(type): default }}` marks; both as they are to be used end up in TARGET/bin and TARGET/configs. What a stack sets
differently it says in the environment (lib/milvus.sh).
"""

import lzma
import pathlib
import re
import shutil
import sys


def main() -> None:
    data, target = map(pathlib.Path, sys.argv[1:3])
    (target / "bin").mkdir()
    for packed in (data / "bin").glob("*.lzma"):
        unpacked = target / "bin" / packed.stem
        with lzma.open(packed) as source, unpacked.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        unpacked.chmod(0o755)
    (target / "configs").mkdir()
    template = (data / "config.yaml.template").read_text()
    mark = re.compile(r"\{\{\s*\w+(?:\(\w+\))?\s*(?::\s*(.*?))?\s*\}\}")
    (target / "configs" / "milvus.yaml").write_text(mark.sub(lambda found: found.group(1) or "", template))
    shutil.copy(data / "glog.conf", target / "configs")


if __name__ == "__main__":
    main()
