#!/bin/bash
# One training on three nodes. From the project's folder, in which `make lab` has made
# .venv, and which all nodes see:
#   sbatch notebooks/cluster/slurm.sh
#SBATCH --job-name=parameter-server
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --exclusive
#SBATCH --time=00:30:00
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
. .venv/bin/activate

# Nobody else on these machines has the token; srun hands it on.
RAY_AUTH_TOKEN=$(python -c "import secrets; print(secrets.token_hex(32))")
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$head:6379

# Starts Ray on every node, runs the command on the first, and at the end stops all Ray
# of yours on these nodes: that is why they must be this job's alone.
srun ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" -- \
    python -m ps_helpers.parameter_server --address "$address" --fast --engine numpy \
    --num-workers 8 --num-servers 2 "$@"
