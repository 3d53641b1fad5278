"""One runnable page for each way to use the stack: `python -m webrtc_stack.examples.client_api`. The tests run them."""
