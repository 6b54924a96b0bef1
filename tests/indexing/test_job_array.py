"""The script of the topic on clusters, run as SLURM runs it: by a stand-in for its programs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sdindex import Index
from tests.support.documents import HELP

JOBS = 3
# Starts a command as a step of a job, which in a job of one task is to run it.
SRUN = '#!/bin/sh\nexec "$@"\n'
# Starts a script once for each number of its array, the last first, and waits.
SBATCH = """#!/usr/bin/env python3
import os, re, subprocess, sys
script = open(sys.argv[-1]).read()
options = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))
first, last = map(int, options["array"].split("-"))
jobs = []
for number in range(last, first - 1, -1):
    given = {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_COUNT": last - first + 1,
             "SLURM_CPUS_PER_TASK": options["cpus-per-task"]}
    env = {**os.environ, **{name: str(value) for name, value in given.items()}}
    jobs.append(subprocess.Popen(["bash", sys.argv[-1]], env=env))
sys.exit(max(job.wait() for job in jobs))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="SLURM runs on Linux")
def test_the_job_array_of_the_topic_reads_each_file_once(archive: Path, tmp_path: Path) -> None:
    topic = (HELP / "cluster.md").read_text(encoding="utf-8")
    script, start = re.findall(r"^```sh\n(.*?)^```", topic, re.MULTILINE | re.DOTALL)[:2]
    script = script.replace("/data/archive", str(archive)).replace("1-64", f"1-{JOBS}")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("sbatch", SBATCH)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "index.sbatch").write_text(script)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", start],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("12 files: 12 new")
    assert len(list(tmp_path.glob("shard-*.db"))) == JOBS
    with Index(tmp_path / "whole.db") as whole, Index(tmp_path / "sdindex.db") as merged:
        whole.update(archive)
        assert [i.path for i in merged.select(5)] == [i.path for i in whole.select(5)]
