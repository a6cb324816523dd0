"""The studio: a page for the browser to translate, repair, colour, generate, train, and watch a training."""

import os

# Gradio reads these when it is imported. Whatever the environment says, it opens no address on the internet
# and sends no statistics.
for _name in [name for name in os.environ if name.startswith("GRADIO_")]:
    del os.environ[_name]
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
