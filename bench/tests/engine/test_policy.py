"""A policy pack runs through the bench's language host, as it does through the official one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.engine import ensure
from bench.tests.engine.project import Project

pytestmark = pytest.mark.engine

# A pack without Pulumi's own library: what that serves to the engine is this protocol.
PACK = """
from __future__ import annotations
import sys
from concurrent import futures
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

class Pack(analyzer_pb2_grpc.AnalyzerServicer):
    def Handshake(self, request, context):
        return analyzer_pb2.AnalyzerHandshakeResponse()
    def GetAnalyzerInfo(self, request, context):
        policy = analyzer_pb2.PolicyInfo(name="no-outputs", enforcementLevel=analyzer_pb2.MANDATORY)
        return analyzer_pb2.AnalyzerInfo(name="tiny", displayName="tiny", version="1", policies=[policy])
    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")
    def ConfigureStack(self, request, context):
        return analyzer_pb2.AnalyzerStackConfigureResponse()
    def Configure(self, request, context):
        return empty_pb2.Empty()
    def Analyze(self, request, context):
        return analyzer_pb2.AnalyzeResponse()
    def Remediate(self, request, context):
        return analyzer_pb2.RemediateResponse()
    def AnalyzeStack(self, request, context):
        found = analyzer_pb2.AnalyzeDiagnostic(
            policyName="no-outputs", policyPackName="tiny", policyPackVersion="1",
            message=f"looked at {len(request.resources)} resources", enforcementLevel=analyzer_pb2.MANDATORY,
        )
        return analyzer_pb2.AnalyzeResponse(diagnostics=[found])
    def Cancel(self, request, context):
        return empty_pb2.Empty()

server = grpc.server(futures.ThreadPoolExecutor(4))
analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Pack(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
sys.stdout.write(f"{port}\\n")
sys.stdout.flush()
server.wait_for_termination()
"""


def test_a_policy_pack_has_its_say(tmp_path: Path) -> None:
    project = Project.make(tmp_path, ensure(), {"__main__.py": "import pulumi\npulumi.export('a', 1)\n"})
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.0.0\n")
    (pack / "__main__.py").write_text(PACK)
    said = project("preview", "--policy-pack", str(pack), ok=False)
    assert "looked at 1 resources" in said
    assert "looked at" not in project("preview")
