"""Makes a client of the API's own description with openapi-python-client, and works with it.

Needs FLOTILLA_URL and FLOTILLA_KEY. Ends with 0 only if everything was as the description says.
"""

import os
import subprocess
import sys
import time
import urllib.request
import uuid

URL = os.environ["FLOTILLA_URL"]
ENDED = ("succeeded", "dead", "cancelled", "expired")


def make():
    """The client as a package `flotilla_api` in this directory. A warning is a failure: something would be missing from it."""
    with urllib.request.urlopen(URL + "/openapi.json", timeout=30) as answer:
        with open("openapi.json", "wb") as file:
            file.write(answer.read())
    with open("config.yaml", "w", encoding="utf-8") as file:
        file.write("package_name_override: flotilla_api\nproject_name_override: flotilla_api\npost_hooks: []\n")
        # To the generator a body of another type than JSON is bytes.
        file.write("content_type_overrides:\n  application/x-ndjson: application/octet-stream\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--config", "config.yaml"]
    subprocess.run(command + ["--meta", "none", "--output-path", "flotilla_api", "--overwrite", "--fail-on-warning"], check=True)
    sys.path.insert(0, os.getcwd())


def main():
    make()
    from flotilla_api import AuthenticatedClient
    from flotilla_api.api.acts import cancel_job, reprioritize_job, retry_job
    from flotilla_api.api.fleet import get_kind, list_queues
    from flotilla_api.api.jobs import get_job, get_job_timeline, list_jobs, submit_job
    from flotilla_api.models import JobSubmission, Problem, Reason, Reprioritize, Retry

    client = AuthenticatedClient(base_url=URL, token=os.environ["FLOTILLA_KEY"], raise_on_unexpected_status=True)

    def submitted(payload, **more):
        body = JobSubmission.from_dict({"kind": "webhooks.deliver", "payload": payload, **more})
        key = str(uuid.uuid4())
        first = submit_job.sync_detailed(client=client, body=body, idempotency_key=key)
        again = submit_job.sync_detailed(client=client, body=body, idempotency_key=key)
        assert first.status_code == again.status_code == 202, (first, again)
        assert first.parsed.id == again.parsed.id, "one key, one job"
        assert again.headers["idempotency-replayed"] == "true"
        return first.parsed

    def until_ended(job):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = get_job.sync(job.id, client=client)
            if str(job.state) in ENDED:
                return job
            time.sleep(0.1)
        raise TimeoutError(f"{job.id} is {job.state}")

    def refused(answer, status, code):
        assert answer.status_code == status and isinstance(answer.parsed, Problem) and answer.parsed.code == code, answer

    # Nobody may be reached on port 9 of this machine: the delivery is refused for good, without a try.
    nowhere = {"url": "http://127.0.0.1:9/hook", "data": {"n": 1}}
    dead = until_ended(submitted(nowhere, tags=["python"]))
    assert str(dead.state) == "dead" and dead.error.code == "target_refused", dead

    waiting = submitted(nowhere, delay="1h", tags=["python"])
    assert str(waiting.state) == "waiting", waiting
    moved = reprioritize_job.sync(waiting.id, client=client, body=Reprioritize.from_dict({"priority": "high"}))
    assert str(moved.priority) == "high", moved
    cancelled = cancel_job.sync_detailed(waiting.id, client=client, body=Reason.from_dict({"reason": "no longer wanted"}))
    assert cancelled.status_code == 200 and str(cancelled.parsed.state) == "cancelled", cancelled
    refused(cancel_job.sync_detailed(dead.id, client=client, body=Reason.from_dict({})), 409, "illegal_transition")

    listed = list_jobs.sync(client=client, tag="python", limit=10)
    assert {job.id for job in listed.jobs} == {dead.id, waiting.id}, listed

    retried = retry_job.sync_detailed(dead.id, client=client, body=Retry.from_dict({"payload": {**nowhere, "data": {"n": 2}}}))
    assert retried.status_code == 202, retried
    assert until_ended(dead).run == 2
    steps = [step.to for step in get_job_timeline.sync(dead.id, client=client).timeline]
    assert [str(step) for step in steps].count("dead") == 2, steps

    wrong = JobSubmission.from_dict({"kind": "webhooks.deliver", "payload": {"data": 1}})
    refused(submit_job.sync_detailed(client=client, body=wrong), 422, "invalid_payload")
    assert get_kind.sync("webhooks.deliver", client=client).queue == "webhooks"
    assert "webhooks" in [queue.name for queue in list_queues.sync(client=client).queues]
    print("all of it worked")


if __name__ == "__main__":
    main()
