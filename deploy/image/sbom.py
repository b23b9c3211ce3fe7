"""The bill of materials: which crates are in the binary, in CycloneDX's JSON.

Cargo's own answers are the source. `cargo tree` says which packages are linked on
this platform with the default features; it leaves out what only builds or tests.
`cargo metadata` has their licences and what each depends on, Cargo.lock their checksums.
"""

import json
import re
import subprocess


def checksums(lock):
    """The checksum of each (name, version) in Cargo.lock."""
    found = {}
    for package in lock.split("[[package]]")[1:]:
        keys = dict(re.findall(r'^(\w+) = "(.*)"$', package, re.MULTILINE))
        if "checksum" in keys:
            found[keys["name"], keys["version"]] = keys["checksum"]
    return found


def depends_on(node, linked):
    """The linked packages that a package uses, without those that build or test it."""
    deps = [dep for dep in node["deps"] if dep["pkg"] in linked]
    return [dep["pkg"] for dep in deps if any(kind["kind"] is None for kind in dep["dep_kinds"])]


def component(package, checksum):
    name, version = package["name"], package["version"]
    result = {"type": "library", "name": name, "version": version}
    result["bom-ref"] = result["purl"] = f"pkg:cargo/{name}@{version}"
    if package["license"]:
        # Older manifests separate alternatives with a slash.
        expression = re.sub(r"\s*/\s*", " OR ", package["license"])
        result["licenses"] = [{"expression": expression}]
    if package["description"]:
        result["description"] = " ".join(package["description"].split())
    if checksum:
        result["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return result


def bill(root):
    """The document for the package at `root`."""

    def cargo(*arguments):
        return subprocess.run(["cargo", *arguments], cwd=root, check=True, stdout=subprocess.PIPE)

    host = re.search(r"host: (\S+)", cargo("version", "--verbose").stdout.decode())[1]
    tree = cargo("tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none")
    named = set(re.findall(r"^(\S+) v(\S+)", tree.stdout.decode(), re.MULTILINE))
    arguments = ["--format-version", "1", "--locked", "--filter-platform", host]
    metadata = json.loads(cargo("metadata", *arguments).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    linked = {at for at, about in packages.items() if (about["name"], about["version"]) in named}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    sums = checksums((root / "Cargo.lock").read_text())
    start = metadata["resolve"]["root"]

    made = {}
    for package in linked:
        about = packages[package]
        made[package] = component(about, sums.get((about["name"], about["version"])))
    own = made[start] | {"type": "application"}
    others = sorted(linked - {start}, key=lambda package: made[package]["bom-ref"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": own},
        "components": [made[package] for package in others],
        "dependencies": [
            {
                "ref": made[package]["bom-ref"],
                "dependsOn": sorted(made[dep]["bom-ref"] for dep in depends_on(nodes[package], linked)),
            }
            for package in [start, *others]
        ],
    }
