import json
import resource
import sys
import time
from urllib.parse import urlsplit

import requests
import tweepy

url, token, handle, out = sys.argv[1:]
real = requests.Session.request


def request(self, method, address, **more):
    parts = urlsplit(address)
    return real(self, method, url + parts.path + ("?" + parts.query if parts.query else ""), **more)


# The platform's host is fixed in tweepy's code.
requests.Session.request = request

FIELDS = [
    "created_at", "description", "id", "location", "name", "protected", "public_metrics", "username", "verified",
]
began = time.perf_counter()
client = tweepy.Client(bearer_token=token, wait_on_rate_limit=True)
account = client.get_user(username=handle).data.id
pages = tweepy.Paginator(client.get_users_followers, account, max_results=1000, user_fields=FIELDS)
rows = 0
with open(out, "w") as file:
    for page in pages:
        for user in page.data or []:
            file.write(json.dumps(user.data))
            file.write("\n")
            rows += 1
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "wall": wall,
    "cpu": used.ru_utime + used.ru_stime,
    "peak_mb": used.ru_maxrss * 1024 / 1e6,
    "rows": rows,
}))
