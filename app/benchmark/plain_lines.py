"""The English lines that a run of load says where it finds something, and the Chinese for them.

They stand where they are said; ``{}`` is whatever stands there in them. :func:`app.benchmark.notes.told` finds them.
"""

from __future__ import annotations

LINES: tuple[tuple[str, str], ...] = (
    # prompts
    ("synthetic, about {tokens} tokens", "合成提示词，约 {tokens} 个词元"),
    ("{file}, {count} questions", "{file}，{count} 个问题"),
    ("{count} questions made of {name}", "由 {name} 生成的 {count} 个问题"),
    # notes
    (
        "Stopped after {done} of {total} requests; those under way do not count.",
        "在 {total} 个请求中完成 {done} 个后停止；进行中的不计入。",
    ),
    (
        "The server takes no ignore_eos: answers end where the model ends them.",
        "服务器不接受 ignore_eos：回答在模型自己结束处结束。",
    ),
    (
        "Warm-up and cool-down would have left nothing: all requests count.",
        "扣除预热和收尾后将没有请求：因此全部计入。",
    ),
    # saturation
    (
        "the server sent {busy} of {total} prompts away as too many",
        "服务器以请求过多为由拒绝了 {total} 个请求中的 {busy} 个",
    ),
    (
        "answers under way rose from {few} to {many} and the first token from {fast} to {slow} ms while prompts came",
        "请求到达期间，进行中的回答从 {few} 个增加到 {many} 个，首个词元从 {fast} 毫秒变慢到 {slow} 毫秒",
    ),
    (
        "answers under way rose from {few} to {many} and the whole answer from {fast} to {slow} ms while prompts came",
        "请求到达期间，进行中的回答从 {few} 个增加到 {many} 个，整个回答从 {fast} 毫秒变慢到 {slow} 毫秒",
    ),
    # what went wrong
    ("The stream ended without saying how the answer ended.", "流结束了，却没有说明回答如何结束。"),
    ("The stream ended without saying how it ended.", "流结束了，却没有说明回答如何结束。"),
    ("The server stopped the answer ({reason}).", "服务器中止了回答（{reason}）。"),
    ("The server reported an error.", "服务器报告了一个错误。"),
    ("The reply is a web page, and no answer of OpenAI's API.", "返回的是网页，不是 OpenAI 接口的回答。"),
    ("The answer is empty.", "回答是空的。"),
    ("The reply is no HTTP.", "返回的不是 HTTP。"),
    ("The reply is no HTTP: {error}.", "返回的不是 HTTP：{error}。"),
    ("The reply is no answer of OpenAI's API.", "返回的不是 OpenAI 接口的回答。"),
    ("A part of the stream is no event of OpenAI's API.", "流中有一段不是 OpenAI 接口的事件。"),
    ("The connection broke off: {why}.", "连接中断：{why}。"),
    ("No connection to the server.", "连不上服务器。"),
    ("The server closed the connection before the first token.", "首个词元之前服务器就关闭了连接。"),
    ("Nothing came for {seconds} seconds.", "{seconds} 秒内没有任何内容。"),
    ("More came after the end of the answer.", "回答结束之后又来了内容。"),
    ("{ids} tokens came, and the server counted {counted}.", "收到 {ids} 个词元，服务器计数为 {counted}。"),
    (
        "{pieces} pieces of text came, and the server counted {counted} tokens.",
        "收到 {pieces} 段文字，服务器计数为 {counted} 个词元。",
    ),
    ("{came} characters came where {right} are right.", "收到 {came} 个字符，正确应为 {right} 个。"),
    ("Another text came than the one that is right.", "收到的文字与正确的不同。"),
    ("A part of the answer came twice, by what other readers got.", "与其他读者相比，回答中有一部分重复出现。"),
    ("The answer ended before what other readers got.", "与其他读者相比，回答提前结束。"),
    # resources
    ("nvidia-ml-py is not installed.", "没有安装 nvidia-ml-py。"),
    ("No NVIDIA driver answers: {error}.", "没有 NVIDIA 驱动响应：{error}。"),
    ("The NVIDIA driver shows no GPU that can be asked.", "NVIDIA 驱动没有可供查询的 GPU。"),
    ("The NVIDIA driver does not list its GPUs: {error}.", "NVIDIA 驱动没有列出 GPU：{error}。"),
    ("{variable}={names} leaves no GPU of this machine.", "{variable}={names} 没有留下本机的任何 GPU。"),
    ("{where} gives no metrics ({status}).", "{where} 不提供指标（{status}）。"),
    ("{where} tells nothing of vLLM.", "{where} 没有 vLLM 的指标。"),
    ("{where} does not answer ({error}).", "{where} 没有响应（{error}）。"),
    ("{where} failed ({status}).", "{where} 出错（{status}）。"),
    (
        "The vLLM in this process keeps no statistics: set VLLM_DISABLE_LOG_STATS=false.",
        "本进程中的 vLLM 不做统计：请设置 VLLM_DISABLE_LOG_STATS=false。",
    ),
    (
        "vLLM's counters did not move: another engine answered, or it keeps no statistics.",
        "vLLM 的计数器没有变化：回答的是别的引擎，或者它不做统计。",
    ),
    (
        "vLLM restarted while it was measured: what it counted right before that is lost.",
        "测量期间 vLLM 重启过：重启前的计数已丢失。",
    ),
)
