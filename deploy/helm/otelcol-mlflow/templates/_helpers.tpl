{{- define "otelcol-mlflow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Room for the longest suffix, "-collector-headless". */}}
{{- define "otelcol-mlflow.fullname" -}}
{{- $name := include "otelcol-mlflow.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains $name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- else -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{- define "otelcol-mlflow.collector" -}}{{ include "otelcol-mlflow.fullname" . }}-collector{{- end -}}
{{- define "otelcol-mlflow.mlflow" -}}{{ include "otelcol-mlflow.fullname" . }}-mlflow{{- end -}}

{{- /* What selects the pods of one component: (dict "root" $ "component" "collector"). */}}
{{- define "otelcol-mlflow.selector" -}}
app.kubernetes.io/name: {{ include "otelcol-mlflow.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- /* Without versions, so that a new chart does not restart pods that it leaves as they are. */}}
{{- define "otelcol-mlflow.podLabels" -}}
{{ include "otelcol-mlflow.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "otelcol-mlflow.labels" -}}
{{ include "otelcol-mlflow.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "otelcol-mlflow.image" -}}
{{- $tag := default .root.Chart.AppVersion .image.tag -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ $tag }}
{{- end -}}
{{- end -}}

{{- define "otelcol-mlflow.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
{{ include "otelcol-mlflow.fullname" . }}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- /* A quantity as it was written: numbers in YAML arrive as floats. */}}
{{- define "otelcol-mlflow.quantity" -}}
{{- kindIs "string" . | ternary . (int64 .) -}}
{{- end -}}

{{- /* A quantity such as 512Mi, 1.5Gi or a number in bytes. */}}
{{- define "otelcol-mlflow.bytes" -}}
{{- $factors := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- $quantity := include "otelcol-mlflow.quantity" . -}}
{{- mulf (regexFind "^[0-9.]+" $quantity) (get $factors (regexFind "[A-Za-z]+$" $quantity) | default 1) | int64 -}}
{{- end -}}

{{- /* Seconds that a queue in memory takes to drain, and a minute for what is under way. */}}
{{- define "otelcol-mlflow.collector.shutdownSeconds" -}}
{{- $drain := 0 -}}
{{- if eq .Values.collector.queue.type "memory" -}}
{{- $drain = div (include "otelcol-mlflow.bytes" .Values.collector.queue.size | int64) (include "otelcol-mlflow.bytes" .Values.collector.queue.drainPerSecond | int64) -}}
{{- end -}}
{{- add 60 $drain -}}
{{- end -}}

{{- define "otelcol-mlflow.endpoint" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "otelcol-mlflow.mlflow" . }}:{{ .Values.mlflow.service.port }}
{{- else -}}
{{ .Values.mlflowExporter.endpoint }}
{{- end -}}
{{- end -}}

{{- /* Whether more than one collector can get the same span. */}}
{{- define "otelcol-mlflow.severalCollectors" -}}
{{- with .Values.collector -}}
{{- if or .autoscaling.enabled (gt (int .replicas) 1) .kafka.enabled -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- /* How many pods, in the object's spec: (dict "root" $ "values" .Values.collector "kind" "Deployment" "name" "x"). An
autoscaler owns the number, but when helm takes a field away that it once set, Kubernetes makes it 1, and a StatefulSet's
queues wait for their pods to come back. So it stays what it is, and at least the minimum, because an autoscaler does not
touch an object that was scaled to 0. Without a cluster to look at (`helm template`, Argo CD) nothing is said. */}}
{{- define "otelcol-mlflow.replicas" -}}
{{- if not .values.autoscaling.enabled -}}
replicas: {{ .values.replicas }}
{{- else -}}
{{- with lookup "apps/v1" .kind .root.Release.Namespace .name -}}
replicas: {{ max (int .spec.replicas) (int $.values.autoscaling.minReplicas) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "otelcol-mlflow.highlyAvailable" -}}
{{- if and .Values.mlflow.enabled (eq .Values.mlflow.profile "ha") -}}true{{- end -}}
{{- end -}}

{{- /* The way to the cluster's DNS, for a NetworkPolicy. */}}
{{- define "otelcol-mlflow.dnsEgress" -}}
- to:
    {{- toYaml .Values.networkPolicy.dnsTo | nindent 4 }}
  ports:
    {{- range $port := .Values.networkPolicy.dnsPorts }}
    {{- range list "UDP" "TCP" }}
    - port: {{ $port }}
      protocol: {{ . }}
    {{- end }}
    {{- end }}
{{- end -}}

{{- define "otelcol-mlflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "otelcol-mlflow.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Over zones and over nodes, as far as there are any. */}}
{{- define "otelcol-mlflow.spread" -}}
{{- $selector := include "otelcol-mlflow.selector" . -}}
{{- range $i, $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
{{- if $i }}
{{ end -}}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- $selector | nindent 6 }}
{{- end }}
{{- end -}}

{{- /* What a user can say about where pods run: (dict "root" $ "values" .Values.collector). */}}
{{- define "otelcol-mlflow.placement" -}}
serviceAccountName: {{ include "otelcol-mlflow.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end -}}
