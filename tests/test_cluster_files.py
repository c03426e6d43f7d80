"""Tests of the files for real clusters, as far as no cluster is needed."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from ps_helpers import parameter_server

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks" / "cluster"
RAY = re.search(r"(?m)^ray==(.+)$", (ROOT / "requirements.txt").read_text())[1]
COMMAND = re.compile(r"ps_helpers\.parameter_server((?:\s+--?[\w-]+(?: [\w.]+)?)+)")


def read(name):
    return yaml.safe_load((FOLDER / name).read_text())


def test_ray_up_takes_its_file():
    found = read("ray-up.yaml")
    validate_config(prepare_config(found))  # by the schema of the pinned Ray
    assert not {*found} - {*prepare_config(found)}
    assert found["max_workers"] == len(found["provider"]["worker_ips"])
    for command in ("head", "worker"):
        [start] = [c for c in found[f"{command}_start_ray_commands"] if "start" in c]
        assert "RAY_AUTH_MODE=token" in start
    for key, value in (("cluster_nam", "x"), ("auth", {"ssh_user": 3})):
        with pytest.raises(ValidationError, match="cluster_nam|3 is not of type"):
            validate_config(prepare_config(read("ray-up.yaml") | {key: value}))


def test_kubernetes_files_have_the_fields_that_kuberay_needs():
    """No schema of KubeRay's is at hand: these are those of its samples."""
    job, cluster = read("rayjob.yaml"), read("raycluster.yaml")
    for found, kind in ((job, "RayJob"), (cluster, "RayCluster")):
        assert (found["apiVersion"], found["kind"]) == ("ray.io/v1", kind)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", found["metadata"]["name"])
    assert job["spec"]["rayClusterSpec"] == cluster["spec"]
    spec = cluster["spec"]
    assert spec["rayVersion"] == RAY and spec["authOptions"] == {"mode": "token"}
    started = spec["headGroupSpec"]["rayStartParams"]
    assert all(isinstance(value, str) for value in started.values())
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert {"groupName", "rayStartParams", "template"} <= {*group}
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        [container] = group["template"]["spec"]["containers"]
        assert container["image"] and container["resources"]["limits"]["cpu"]


def test_slurms_script_is_bash_and_asks_for_nodes_of_its_own():
    script = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    head = script.read_text().split("set -euo pipefail")[0]
    assert {"--exclusive", "--ntasks-per-node=1"} <= {*re.findall(r"--\S+", head)}
    assert "RAY_AUTH_MODE=token" in script.read_text()


def test_all_files_name_the_pinned_ray_and_options_that_the_script_has(capsys):
    with pytest.raises(SystemExit, match="0"):
        parameter_server.main(["--help"])
    known, commands = capsys.readouterr().out, 0
    for path in FOLDER.iterdir():
        text = path.read_text()
        versions = re.findall(
            r"(?:default\]==|/ray:|rayVersion: \")(\d+\.\d+\.\d+)", text
        )
        assert set(versions) <= {RAY}, path
        text = text.replace("\\\n", " ")
        for options in COMMAND.findall(text):
            commands += 1
            for option in re.findall(r"--[\w-]+", options):
                assert f"{option} " in known or f"{option}\n" in known, option
    assert commands == 3
