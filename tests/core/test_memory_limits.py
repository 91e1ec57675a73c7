"""The limit of the memory of a process, where the kernel says it: files of a system as a tree."""

import resource

import pytest

from pipelines.core import memory_limits

MIB = 2**20
NONE = 9223372036854771712  # version 1's word for no limit
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"
# what /proc/self/cgroup holds, files of the tree, the limits in MiB with what is used of each
SYSTEMS = {
    "container": ("0::/", {f"{V2}/memory.max": 512 * MIB}, [(512, 0)]),
    "job within a slice": (
        "0::/slurm/job_7/step_0",
        {
            f"{V2}/slurm/memory.max": 4096 * MIB,
            f"{V2}/slurm/memory.current": 1024 * MIB,
            f"{V2}/slurm/job_7/memory.max": 1024 * MIB,
            f"{V2}/slurm/job_7/memory.current": 900 * MIB,
            # a cache of files gives way
            f"{V2}/slurm/job_7/memory.stat": f"anon 5\ninactive_file {400 * MIB}\n",
            f"{V2}/slurm/job_7/step_0/memory.max": "max",
            "sys/fs/memory.max": 1,  # not a cgroup's
        },
        [(1024, 500), (4096, 1024)],
    ),
    "version 1": (
        "9:cpuset:/\n4:memory:/jobs/3\n0::/",
        {
            f"{V1}/memory.limit_in_bytes": NONE,
            f"{V1}/jobs/3/memory.limit_in_bytes": 256 * MIB,
            f"{V1}/jobs/3/memory.usage_in_bytes": 200 * MIB,
            f"{V1}/jobs/3/memory.stat": f"inactive_file 9\ntotal_inactive_file {50 * MIB}\n",
        },
        [(256, 150)],
    ),
    # the path is that of the host, which is not to be seen here
    "container of version 1": (
        "4:memory,cpu:/docker/abc\n",
        {f"{V1}/memory.limit_in_bytes": 128 * MIB},
        [(128, 0)],
    ),
    "above what is to be seen": ("0::/../../job", {f"{V2}/memory.max": 64 * MIB}, [(64, 0)]),
    "no limit": ("0::/user", {f"{V2}/user/memory.max": "max", f"{V2}/memory.max": 0}, []),
    "unlike any": ("nonsense\n\n", {f"{V2}/memory.max": "many"}, []),
    "another system": (None, {}, []),
}


@pytest.fixture
def system(tmp_path):
    """system(name): the root of a file system that says this of cgroups, and the limits."""

    def system(name):
        membership, files, limits = SYSTEMS[name]
        if membership is not None:
            files = {**files, "proc/self/cgroup": membership}
        for file, content in files.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(f"{content}\n", encoding="ascii")
        return tmp_path, limits

    return system


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_limits_of_a_cgroup_and_of_those_above_it(system, name):
    root, limits = system(name)
    known = [(each.num_bytes, each.used) for each in memory_limits.of_cgroups(root)]
    assert known == [(limit * MIB, used * MIB) for limit, used in limits]
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        smallest = min((limit for limit, _ in limits), default=None)
        assert memory_limits.limit(root) == (smallest and smallest * MIB)


def test_what_is_free_is_what_a_limit_leaves(system, monkeypatch):
    root, _ = system("version 1")
    free = memory_limits.free({"use_cpu": True}, root)
    assert free == 106 * MIB
    # processes of a machine share it
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert memory_limits.free({"use_cpu": True}, root) == free / 2
    assert memory_limits.Limit(5, 9).free == 0
