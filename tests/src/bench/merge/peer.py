"""One row per follower with DuckDB: `peer.py FORMULATION MEMORY SHARDS... OUT`; prints seconds and memory as JSON."""

import json
import os
import resource
import sys
import time

import duckdb

formulation, memory, keys, threads, shards, scratch, out = sys.argv[1:]
db = duckdb.connect()
db.execute(f"SET threads = {threads}")
db.execute(f"SET temp_directory = '{scratch}'")
db.execute("SET preserve_insertion_order = false")
db.execute("SET enable_progress_bar = false")
if memory != "none":
    db.execute(f"SET memory_limit = '{memory}'")
key = "id_num" if keys == "integer" else "id"
seen = "seen_at, range, epoch, seq, row"
down = ", ".join(f"{column} DESC" for column in seen.split(", "))
source = f"read_parquet('{shards}')"
columns = [row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
packed = ", ".join(f'"{column}" := "{column}"' for column in columns)
QUERIES = {
    "row_number": f"SELECT * FROM {source} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {down}) = 1 ORDER BY {key}",
    "arg_max": f"SELECT UNNEST(best) FROM (SELECT {key} AS k, arg_max(struct_pack({packed}), row({seen})) AS best "
    f"FROM {source} GROUP BY k) ORDER BY k",
    # Only a follower with several rows loses any: those are few, and joined away before the sort.
    "losers": f"WITH several AS (SELECT {key} AS k, max(row({seen})) AS best FROM {source} GROUP BY k HAVING count(*) > 1) "
    f"SELECT rows.* FROM {source} AS rows LEFT JOIN several ON rows.{key} = several.k "
    f"WHERE several.k IS NULL OR row({seen}) = several.best ORDER BY rows.{key}",
}
start = time.monotonic()
db.execute(f"COPY ({QUERIES[formulation]}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
seconds = time.monotonic() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
rows = db.execute(f"SELECT count(*), count(DISTINCT {key}) FROM read_parquet('{out}')").fetchone()
print(
    json.dumps(
        {
            "seconds": seconds,
            "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss * 1024,
            "rows": rows[0],
            "followers": rows[1],
            "bytes": os.path.getsize(out),
        }
    )
)
