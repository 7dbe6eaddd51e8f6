"""The status as Prometheus reads it."""

from __future__ import annotations

from imgd.control.protocol import StatusAnswer


def render_metrics(status: StatusAnswer) -> str:
    """Prometheus' text format, version 0.0.4."""
    lines = [
        "# TYPE imgd_photos gauge",
        f"imgd_photos {status.photos}",
        "# TYPE imgd_photos_missing gauge",
        f"imgd_photos_missing {status.missing}",
        "# TYPE imgd_uptime_seconds gauge",
        f"imgd_uptime_seconds {status.uptime_s:.0f}",
        "# TYPE imgd_memory_bytes gauge",
        f"imgd_memory_bytes {sum(process.pss_bytes for process in status.processes)}",
        "# TYPE imgd_faults gauge",
        f"imgd_faults {len(status.faults)}",
    ]
    for kind in ("owed", "failed", "done"):
        lines.append(f"# TYPE imgd_jobs_{kind} gauge")
        counts = ((queue.analyzer, getattr(queue, kind)) for queue in status.queue)
        lines += [f'imgd_jobs_{kind}{{analyzer="{name}"}} {count}' for name, count in counts if count is not None]
    lines.append("# TYPE imgd_index_dirty gauge")
    lines += [f'imgd_index_dirty{{index="{_escape(index.name)}"}} {index.dirty}' for index in status.indexes]
    lines.append("# TYPE imgd_root_online gauge")
    lines += [
        f'imgd_root_online{{root="{_escape(root.path)}"}} {int(root.state == "online")}' for root in status.roots
    ]
    return "\n".join(lines) + "\n"


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
