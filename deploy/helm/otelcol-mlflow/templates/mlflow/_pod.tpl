{{- /* Host headers that MLflow answers: its Service under every name, a port-forward, and each pod by its address, which is
how Prometheus scrapes. https://mlflow.org/docs/latest/self-hosting/security/network/ */}}
{{- define "otelcol-mlflow.mlflow.allowedHosts" -}}
{{- $service := include "otelcol-mlflow.mlflow" . -}}
{{- $hosts := list "localhost" "localhost:*" "127.0.0.1:*" "$(POD_IP):5000" "[$(POD_IP)]:5000" -}}
{{- range list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.%s" $service .Release.Namespace .Values.clusterDomain) -}}
{{- $hosts = concat $hosts (list . (printf "%s:%d" . (int $.Values.mlflow.service.port))) -}}
{{- end -}}
{{- join "," (concat $hosts .Values.mlflow.publicHosts) -}}
{{- end -}}

{{- /* Origins that the UI's own requests come from. */}}
{{- define "otelcol-mlflow.mlflow.allowedOrigins" -}}
{{- $origins := list -}}
{{- range .Values.mlflow.publicHosts -}}
{{- $origins = concat $origins (list (printf "https://%s" .) (printf "http://%s" .)) -}}
{{- end -}}
{{- join "," $origins -}}
{{- end -}}

{{- define "otelcol-mlflow.mlflow.databaseEnv" -}}
{{- if include "otelcol-mlflow.highlyAvailable" . -}}
- name: MLFLOW_BACKEND_STORE_URI
  valueFrom:
    secretKeyRef:
      name: {{ .Values.mlflow.database.uriSecret }}
      key: {{ .Values.mlflow.database.uriKey }}
{{- else -}}
- name: MLFLOW_BACKEND_STORE_URI
  value: sqlite:////mlflow/mlflow.db
{{- end }}
{{- end -}}

{{- /* What MLflow writes outside its volume. */}}
{{- define "otelcol-mlflow.mlflow.commonEnv" -}}
- name: HOME
  value: /tmp
- name: MLFLOW_DISABLE_TELEMETRY
  value: "true"
- name: GIT_PYTHON_REFRESH
  value: quiet
{{- end -}}

{{- /* The container that brings the database to MLflow's schema. */}}
{{- define "otelcol-mlflow.mlflow.migrate" -}}
{{- $mlflow := .Values.mlflow -}}
- name: migrate
  image: {{ include "otelcol-mlflow.image" (dict "root" . "image" $mlflow.image) }}
  imagePullPolicy: {{ $mlflow.image.pullPolicy }}
  command: [mlflow, db, upgrade]
  args: [$(MLFLOW_BACKEND_STORE_URI)]
  env:
    {{- include "otelcol-mlflow.mlflow.databaseEnv" . | nindent 4 }}
    {{- include "otelcol-mlflow.mlflow.commonEnv" . | nindent 4 }}
  resources:
    requests: {cpu: 100m, memory: 512Mi}
    limits: {memory: 1Gi}
  securityContext:
    {{- include "otelcol-mlflow.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    {{- if not (include "otelcol-mlflow.highlyAvailable" .) }}
    - name: data
      mountPath: /mlflow
    {{- end }}
{{- end -}}
