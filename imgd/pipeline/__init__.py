"""From owed jobs to committed findings: plan, decode workers, lanes, one committer.

scheduler -> plan -> pool (worker processes) -> lanes (one process a device) -> commit
"""
