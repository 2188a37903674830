"""The project's own generator: `openapi.yaml` -> plain data -> templates -> `freechat_sdk/api`, `models`, `docs`."""
