//! The addresses and what they answer.

use std::sync::Arc;

use axum::extract::{Query, Request as HttpRequest, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::actor::Shared;
use super::super::admin::{Request, answer};
use super::limited::Limited;

/// The page for people; it asks `/api/v1` every few seconds.
const PAGE: &str = include_str!("page.html");

/// The description of `/api/v1`.
const OPENAPI: &str = include_str!("openapi.json");

/// The page may run its own script and speak to this server; nothing else.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves until `shutdown`; requests under way then are still answered.
pub(in super::super) async fn serve(
    listener: Option<std::net::TcpListener>,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let listener = Limited::new(tokio::net::TcpListener::from_std(listener)?);
    axum::serve(listener, router(shared)).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

fn router(shared: Arc<Shared>) -> Router {
    let api = |request: Request| get(move |State(shared)| api(shared, request));
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/api/v1/status", api(Request::Status))
        .route("/api/v1/vaults", api(Request::Vaults))
        .route("/api/v1/sessions", api(Request::Sessions))
        .route("/api/v1/explain", get(explain))
        .route("/api/v1/peers", api(Request::Peers))
        .route("/api/v1/batches", api(Request::Batches))
        .route("/api/v1/payments", api(Request::Payments))
        .route("/api/v1/solvency", api(Request::Solvency))
        .layer(from_fn_with_state(shared.clone(), same_host))
        .layer(map_response(guard))
        .with_state(shared)
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let causes = shared.board.causes();
    let code = if causes.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({"well": causes.is_empty(), "causes": causes}))).into_response()
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let waiting = shared.board.unready();
    let code = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({"ready": waiting.is_empty(), "waiting": waiting}))).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let well = shared.board.causes().is_empty();
    metrics::gauge!("coordinator_well", "name" => shared.name.to_string())
        .set(f64::from(u8::from(well)));
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, shared.telemetry.render()).into_response()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// What `explain` is asked about.
#[derive(Debug, serde::Deserialize)]
struct About {
    id: Option<String>,
}

async fn explain(State(shared): State<Arc<Shared>>, Query(about): Query<About>) -> Response {
    api(shared, Request::Explain { id: about.id }).await
}

async fn api(shared: Arc<Shared>, request: Request) -> Response {
    match answer(shared.as_ref(), &request).await {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            let body = Json(json!({"error": error.to_string()}));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn same_host(
    State(shared): State<Arc<Shared>>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let loopback = shared.http.is_some_and(|address| address.ip().is_loopback());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if loopback && !host.is_some_and(is_loopback_host) {
        let error = json!({"error": "ask for 127.0.0.1 or localhost"});
        return (StatusCode::MISDIRECTED_REQUEST, Json(error)).into_response();
    }
    next.run(request).await
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn guard(mut response: Response) -> Response {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_names() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9615", "[::1]:80", "[::1]"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["", "example.org", "127.0.0.1.example.org:80", "10.0.0.1", "localhost.x:1"] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    #[test]
    fn the_description_is_of_these_addresses() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            paths,
            [
                "/api/v1/batches",
                "/api/v1/explain",
                "/api/v1/openapi.json",
                "/api/v1/payments",
                "/api/v1/peers",
                "/api/v1/sessions",
                "/api/v1/solvency",
                "/api/v1/status",
                "/api/v1/vaults",
                "/health",
                "/metrics",
                "/ready",
            ]
        );
    }
}
